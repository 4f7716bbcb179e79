//! A click: who follows which link, and where they go.

pub mod cookie;
pub mod landing;
pub mod parameters;
pub mod visitor;
