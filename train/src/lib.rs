//! Jobs for data scientists, one file per job; the first comes with the model registry.

pub mod anomaly;
pub mod doctor;
