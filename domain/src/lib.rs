//! What is true about affiliate marketing: value in, value out, no input or output of its own.
