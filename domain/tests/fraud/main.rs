//! Fraud as a whole: the manual is the list of rules, and planted rings are found.

mod manual;
mod rings;
