//! The counters against a real Redis: several nodes, each in a runtime of its own so that it can vanish or stand still.

mod budgets;
mod epochs;
mod faults;
mod limits;
mod node;
mod protocol;
mod server;
