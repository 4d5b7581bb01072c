//! The responses that the simulator made and was asked to keep: the last so many, the oldest forgotten first.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{dialects::responses::Item, errors::Problem};

/// Responses by their number, which is what their ids are written from.
#[derive(Debug)]
pub struct Memory {
    kept: Mutex<Kept>,
    max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    by_number: HashMap<u64, Arc<Stored>>,
    order: VecDeque<u64>,
}

/// A response, and the conversation up to and including it.
#[derive(Debug)]
pub struct Stored {
    pub number: u64,
    pub response: Bytes,
    pub items: Vec<Arc<Item>>,
}

impl Memory {
    /// Keeps the last `max` responses; 0 keeps none.
    pub fn new(max: usize) -> Self {
        Self {
            kept: Mutex::default(),
            max,
        }
    }

    pub fn keep(&self, stored: Arc<Stored>) {
        if self.max == 0 {
            return;
        }
        let mut kept = self.kept.lock();
        let number = stored.number;
        if kept.by_number.insert(number, stored).is_some() {
            return;
        }
        kept.order.push_back(number);
        if kept.order.len() > self.max
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_number.remove(&oldest);
        }
    }

    pub fn find(&self, number: u64) -> Option<Arc<Stored>> {
        self.kept.lock().by_number.get(&number).cloned()
    }

    pub fn clear(&self) {
        *self.kept.lock() = Kept::default();
    }

    /// `GET /v1/responses/{id}`.
    ///
    /// # Errors
    /// It is not kept.
    pub fn get(&self, id: &str) -> Result<Bytes, Problem> {
        let stored = number_of(id, "resp_").and_then(|number| self.find(number));
        stored
            .map(|stored| stored.response.clone())
            .ok_or_else(|| not_found(id))
    }

    /// `DELETE /v1/responses/{id}`.
    ///
    /// # Errors
    /// It is not kept.
    pub fn forget(&self, id: &str) -> Result<Value, Problem> {
        let number = number_of(id, "resp_").ok_or_else(|| not_found(id))?;
        let mut kept = self.kept.lock();
        if kept.by_number.remove(&number).is_none() {
            return Err(not_found(id));
        }
        kept.order.retain(|other| *other != number);
        Ok(json!({"id": id, "object": "response", "deleted": true}))
    }
}

/// The number in an id that was written `<prefix><16 hexadecimal digits>`.
pub fn number_of(id: &str, prefix: &str) -> Option<u64> {
    let digits = id.strip_prefix(prefix)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

fn not_found(id: &str) -> Problem {
    Problem::NotFound {
        message: format!("Response with id '{id}' not found."),
        code: None,
    }
}
