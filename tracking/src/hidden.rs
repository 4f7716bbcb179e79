//! Arguments that hold a secret: what is wrong with one is told without repeating it.

use std::{ffi::OsStr, fmt::Display, marker::PhantomData, str::FromStr};

use clap::{
    Arg, Command, Error,
    builder::{StringValueParser, TypedValueParser},
    error::ErrorKind,
};

/// Reads a value of an argument or of an environment variable, and never shows it.
pub struct Hidden<T>(PhantomData<fn() -> T>);

impl<T> Hidden<T> {
    /// The parser of an argument that holds a secret.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Hidden<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Hidden<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> TypedValueParser for Hidden<T>
where
    T: FromStr<Err: Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        text.parse().map_err(|error| {
            let argument =
                argument.map_or_else(|| "an argument".to_owned(), |argument| format!("'{argument}'"));
            let told = format!("invalid value for {argument}: {error}\n");
            Error::raw(ErrorKind::ValueValidation, told).with_cmd(command)
        })
    }
}
