//! Holds docs/DIALECTS.md to the code. Its tables are what the converters do when they are asked: for each field and
//! each kind of content a conversation that sets nothing else is written for each provider, and what becomes of it is
//! the cell. `FERROGATE_BLESS=1 cargo test documentation` writes the tables anew; read what changed as code.

mod content;
mod errors;
mod fields;
mod finish;
mod kinds;
mod matrix;
mod page;
mod probe;
mod reasoning;
mod spelling;
mod streams;
mod usage;

use super::Dialect;

/// The dialects as the page has them.
const DIALECTS: [Dialect; 4] = [
    Dialect::Chat,
    Dialect::Responses,
    Dialect::Messages,
    Dialect::Gemini,
];
