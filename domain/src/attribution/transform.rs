//! Ways to shorten a path before it is counted, so that paths which mean the same are the same (named as in Google's
//! fractribution).

/// How a path is shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// Nothing is left out.
    Unique,
    /// A channel that follows itself is left out.
    Exposure,
    /// Only the first touch of each channel is kept.
    First,
}

impl Transform {
    /// Appends the shortened path to `shortened`.
    pub fn apply(self, touches: &[u32], shortened: &mut Vec<u32>) {
        let begin = shortened.len();
        for touch in touches {
            let kept = match self {
                Self::Unique => true,
                Self::Exposure => shortened[begin..].last() != Some(touch),
                Self::First => !shortened[begin..].contains(touch),
            };
            if kept {
                shortened.push(*touch);
            }
        }
    }
}

/// Each channel of a path with how often it touched, in the order of the first touches.
#[must_use]
pub fn frequency(touches: &[u32]) -> Vec<(u32, usize)> {
    let mut channels = Vec::new();
    Transform::First.apply(touches, &mut channels);
    let count = |channel: u32| touches.iter().filter(|touch| **touch == channel).count();
    channels.into_iter().map(|channel| (channel, count(channel))).collect()
}
