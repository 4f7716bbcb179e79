//! Recommendations as teams, affiliates and data scientists see them.
