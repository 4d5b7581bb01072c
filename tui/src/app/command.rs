//! What `update` asks for, and the tasks that do it and answer with messages.

use std::{sync::Arc, time::Duration};

use ferrogate_api::RequestLogQuery;
use futures_util::StreamExt;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use crate::{
    app::{Failure, Msg, PageFor},
    client::{AdminApi, ClientError},
};

/// One thing to do outside of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cmd {
    /// Ask for the status, open the live feed and follow it.
    Connect {
        generation: u64,
    },
    Wait {
        generation: u64,
        wait_ms: u64,
    },
    FetchStatus {
        generation: u64,
    },
    FetchPage {
        page_for: PageFor,
        query: Box<RequestLogQuery>,
    },
    Suspend,
    Quit,
}

/// Runs commands; dropping it ends them all.
pub struct Commands {
    api: Arc<dyn AdminApi>,
    answers: mpsc::Sender<Msg>,
    tasks: JoinSet<()>,
}

impl Commands {
    pub fn new(api: Arc<dyn AdminApi>, answers: mpsc::Sender<Msg>) -> Self {
        Self {
            api,
            answers,
            tasks: JoinSet::new(),
        }
    }

    /// Starts a command. `Suspend` and `Quit` concern the terminal and are not for here.
    pub fn start(&mut self, command: Cmd) {
        // Ended tasks are collected here, so that the set stays as small as what is under way.
        while self.tasks.try_join_next().is_some() {}
        let (api, answers) = (Arc::clone(&self.api), self.answers.clone());
        self.tasks.spawn(async move {
            // A send fails only when the console is gone; then nobody waits for the answer.
            match command {
                Cmd::Connect { generation } => follow(&*api, &answers, generation).await,
                Cmd::Wait {
                    generation,
                    wait_ms,
                } => {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    answers.send(Msg::RetryDue { generation }).await.ok();
                }
                Cmd::FetchStatus { generation } => {
                    let answer = timed_status(&*api).await.map_err(Failure::from);
                    let message = Msg::StatusAnswered { generation, answer };
                    answers.send(message).await.ok();
                }
                Cmd::FetchPage { page_for, query } => {
                    let answer = api.request_logs(&query).await;
                    let answer = answer.map(Arc::new).map_err(Failure::from);
                    let message = Msg::PageAnswered { page_for, answer };
                    answers.send(message).await.ok();
                }
                Cmd::Suspend | Cmd::Quit => {}
            }
        });
    }
}

/// Connects and passes events on until the feed breaks. A full channel makes the gateway skip, not us grow.
async fn follow(api: &dyn AdminApi, answers: &mpsc::Sender<Msg>, generation: u64) {
    let failure = match follow_feed(api, answers, generation).await {
        Ok(()) => return,
        Err(error) => Failure::from(error),
    };
    let message = Msg::Lost {
        generation,
        failure,
    };
    answers.send(message).await.ok();
}

/// `Ok` when the console has gone.
async fn follow_feed(
    api: &dyn AdminApi,
    answers: &mpsc::Sender<Msg>,
    generation: u64,
) -> Result<(), ClientError> {
    let (status, round_trip_us) = timed_status(api).await?;
    let mut feed = api.events().await?;
    let mut message = Msg::Connected {
        generation,
        status,
        round_trip_us,
    };
    loop {
        if answers.send(message).await.is_err() {
            return Ok(());
        }
        let event = feed.next().await.unwrap_or(Err(ClientError::FeedEnded))?;
        message = Msg::Event { generation, event };
    }
}

async fn timed_status(
    api: &dyn AdminApi,
) -> Result<(Box<ferrogate_api::Status>, u64), ClientError> {
    let asked = Instant::now();
    let status = api.status().await?;
    let round_trip_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok((Box::new(status), round_trip_us))
}
