//! How many client connections are open, in all and from one address, and who may open another.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use crate::config::Limits;

/// The open client connections. One per process; metrics read it.
#[derive(Debug)]
pub struct Connections {
    limits: Arc<Limits>,
    open: AtomicUsize,
    refused: AtomicU64,
    /// Holds an entry per address with an open connection, so it is bounded by `connections_max`.
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One open connection's place; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    connections: Arc<Connections>,
    counted_as: Option<IpAddr>,
}

impl Connections {
    pub fn new(limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            open: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            by_address: Mutex::default(),
        })
    }

    /// Open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Refused since the process started.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// A place for a connection from `address`, or `None` when a cap is reached. A trusted proxy speaks for many
    /// clients and is held to the cap in all only.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Slot> {
        let admitted = self.try_admit(address);
        if admitted.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    fn try_admit(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Slot> {
        // Counted before it is compared, so that two at once cannot both take the last place.
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        let mut slot = Slot {
            connections: Arc::clone(self),
            counted_as: None,
        };
        if open >= self.limits.connections_max {
            return None;
        }
        let counted_as = address
            .map(|address| address.to_canonical())
            .filter(|address| {
                !self
                    .limits
                    .trusted_proxies
                    .iter()
                    .any(|net| net.contains(address))
            })
            .map(one_client);
        if let Some(address) = counted_as {
            let mut by_address = self.by_address.lock();
            let count = by_address.entry(address).or_default();
            if *count >= self.limits.connections_per_address_max {
                return None;
            }
            *count += 1;
            slot.counted_as = Some(address);
        }
        Some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = self.counted_as else {
            return;
        };
        let mut by_address = self.connections.by_address.lock();
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }
}

/// What counts as one client: an IPv4 address, but a whole /64 of IPv6, since a single host is given that much.
fn one_client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::guard::tests::limits;

    fn connections(all: usize, per_address: usize) -> Arc<Connections> {
        Connections::new(Arc::new(Limits {
            connections_max: all,
            connections_per_address_max: per_address,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..limits()
        }))
    }

    fn admit(connections: &Arc<Connections>, address: &str) -> Option<Slot> {
        connections.admit(Some(address.parse().unwrap()))
    }

    #[test]
    fn a_place_is_given_back_when_its_connection_ends() {
        let connections = connections(2, 2);
        let first = admit(&connections, "192.0.2.1");
        let second = admit(&connections, "192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(admit(&connections, "192.0.2.2").is_none());
        assert_eq!((connections.open(), connections.refused()), (2, 1));
        drop(first);
        assert!(admit(&connections, "192.0.2.2").is_some());
        drop(second);
        assert_eq!(connections.open(), 0);
        assert!(connections.by_address.lock().is_empty());
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let connections = connections(9, 1);
        let _v4 = admit(&connections, "192.0.2.1").unwrap();
        assert!(admit(&connections, "192.0.2.1").is_none());
        assert!(
            admit(&connections, "::ffff:192.0.2.1").is_none(),
            "the same address in IPv6 clothes"
        );
        let _other = admit(&connections, "192.0.2.2").unwrap();
        let _v6 = admit(&connections, "2001:db8::1").unwrap();
        assert!(admit(&connections, "2001:db8::2").is_none(), "the same /64");
        assert!(admit(&connections, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn a_trusted_proxy_is_held_to_the_cap_in_all_only() {
        let connections = connections(3, 1);
        let held: Vec<_> = (0..3)
            .map_while(|_| admit(&connections, "10.1.2.3"))
            .collect();
        assert_eq!(held.len(), 3);
        assert!(admit(&connections, "10.1.2.3").is_none());
    }
}
