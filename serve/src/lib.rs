//! Decisions, money and people: the HTTP API, the worker and the command line.

pub mod api;
pub mod app;
pub mod attribution;
pub mod cases;
pub mod command;
mod health;
mod hiding;
pub mod host;
pub mod jobs;
pub mod key;
pub mod mail;
pub mod matching;
pub mod meters;
mod outward;
pub mod pages;
mod postbacks;
mod rings;
pub mod scope;
pub mod scoring;
pub mod state;
mod store;
pub mod stored;
