//! A browser that nobody signed in with yet: its forms carry what only it knows.

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{
    Pages,
    frame::Frame,
    reader::Reader,
    session::{accepted, cookie},
    token::Token,
};

/// Who asks for a page that is open to everybody.
pub struct Stranger {
    /// What its forms are made for.
    pub token: Token,
    is_new: bool,
    reader: Reader,
}

impl Stranger {
    /// Whose headers these are.
    #[must_use]
    pub fn of(pages: &Pages, headers: &HeaderMap) -> Self {
        let known = cookie(headers, pages.stranger_cookie());
        let reader = Reader::new(None, "UTC", accepted(headers));
        Self {
            is_new: known.is_none(),
            token: known.unwrap_or_else(|| Token::new(&pages.app.chance)),
            reader,
        }
    }

    /// What is around a page that it is shown.
    #[must_use]
    pub fn frame(&self) -> Frame {
        Frame { reader: self.reader, csrf: self.token.form_token(), ..Frame::bare() }
    }

    /// A page of its, with the cookie that its forms need.
    #[must_use]
    pub fn answer(&self, pages: &Pages, page: Response) -> Response {
        if !self.is_new {
            return page;
        }
        ([(header::SET_COOKIE, pages.cookie(pages.stranger_cookie(), &self.token))], page).into_response()
    }
}
