//! What holds of every feature and of every aggregate, whatever happens.

#[cfg(test)]
mod aggregates;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod history;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod training;
#[cfg(test)]
mod world;
