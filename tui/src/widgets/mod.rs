//! Parts of screens that know nothing of the model but what they are given.

pub mod area_chart;
pub mod bar;
pub mod columns;
pub mod footer;
pub mod header;
pub mod help;
pub mod outage;
pub mod panel;
pub mod request_row;
pub mod split_line;
pub mod timeline;
