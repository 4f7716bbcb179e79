//! Materials: banners, texts and letters of a campaign, and what a partner copies to advertise with them.

use imagesize::ImageType;

use crate::{MaterialId, state::names};

/// What stands in a text for the partner's link.
pub const LINK: &str = "{link}";
/// No picture has more bytes.
pub const IMAGE_MAX: usize = 300 * 1024;
/// No picture has more pixels in a line, or more lines.
pub const SIDE_MAX: u16 = 4096;

names! {
    /// What a material is.
    MaterialKind: "kind of material" {
        /// A picture that leads to the campaign, with a text for those who do not see it.
        Banner = "banner",
        /// A text to be published with the link in it.
        Text = "text",
        /// A letter to be sent with the link in it.
        Mail = "mail",
    }
}

names! {
    /// What a picture is written in.
    PictureType: "type of picture" {
        /// PNG.
        Png = "image/png",
        /// JPEG.
        Jpeg = "image/jpeg",
        /// GIF.
        Gif = "image/gif",
        /// WebP.
        Webp = "image/webp",
    }
}

/// What a picture's own bytes say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it is written in.
    pub written_in: PictureType,
    /// How wide it is, in pixels.
    pub width: u16,
    /// How high it is, in pixels.
    pub height: u16,
}

/// Why bytes are no picture that can be a banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Too many bytes.
    #[error("it must be at most {} KiB", IMAGE_MAX / 1024)]
    TooLong,
    /// Something else, whatever its name says.
    #[error("it must be a picture: PNG, JPEG, GIF or WebP")]
    NoPicture,
    /// Without pixels, or with too many.
    #[error("it must be 1 to {most} pixels wide and high", most = SIDE_MAX)]
    Side,
}

impl Picture {
    /// Reads what a picture is and how large, from its first bytes; a name or a claimed type counts for nothing.
    ///
    /// # Errors
    /// When it is too long, too large, or none of the four types.
    pub fn read(bytes: &[u8]) -> Result<Self, PictureError> {
        if IMAGE_MAX < bytes.len() {
            return Err(PictureError::TooLong);
        }
        let written_in = match imagesize::image_type(bytes).map_err(|_| PictureError::NoPicture)? {
            ImageType::Png => PictureType::Png,
            ImageType::Jpeg => PictureType::Jpeg,
            ImageType::Gif => PictureType::Gif,
            ImageType::Webp => PictureType::Webp,
            _ => return Err(PictureError::NoPicture),
        };
        let size = imagesize::blob_size(bytes).map_err(|_| PictureError::NoPicture)?;
        let side = |pixels: usize| u16::try_from(pixels).ok().filter(|side| (1..=SIDE_MAX).contains(side));
        let (width, height) = side(size.width).zip(side(size.height)).ok_or(PictureError::Side)?;
        Ok(Self { written_in, width, height })
    }
}

/// What a material consists of.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A picture.
    Banner {
        /// Where it is.
        url: &'a str,
        /// How wide and high it is, in pixels.
        size: (u16, u16),
        /// What it says, for those who do not see it.
        alternative: &'a str,
    },
    /// A text or a letter, with [`LINK`] in it.
    Words(&'a str),
}

/// A partner's ways into the campaign.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    /// Where visitors click.
    pub link: &'a str,
    /// The picture that counts how often the advertisement is shown.
    pub impression: &'a str,
}

/// What a partner copies: HTML for a banner, the text with its link in it for everything else.
#[must_use]
pub fn embedded(content: Content, ways: Ways) -> String {
    match content {
        Content::Words(text) => text.replace(LINK, ways.link),
        Content::Banner { url, size: (width, height), alternative } => {
            let [link, url, alternative, impression] =
                [ways.link, url, alternative, ways.impression].map(escaped);
            format!(
                "<a href=\"{link}\"><img src=\"{url}\" alt=\"{alternative}\" width=\"{width}\" height=\"{height}\"></a>\
                 <img src=\"{impression}\" width=\"1\" height=\"1\" alt=\"\">"
            )
        }
    }
}

/// A link's address that tells which material a click came from, as its `utm_content`.
#[must_use]
pub fn told_apart(link: &str, material: MaterialId) -> String {
    let sign = if link.contains('?') { '&' } else { '?' };
    format!("{link}{sign}utm_content={material}")
}

/// A text as it stands in an attribute of HTML.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            other => written.push(other),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WAYS: Ways = Ways { link: "https://go.example/c/a?x=1&y=2", impression: "https://go.example/i/a" };

    fn check(bytes: &[u8]) -> String {
        match Picture::read(bytes) {
            Ok(Picture { written_in, width, height }) => format!("{written_in} {width}×{height}"),
            Err(error) => error.to_string(),
        }
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let head: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        [head, &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x06\0\0\0"].concat()
    }

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        assert_eq!(check(&png(728, 90)), "image/png 728×90");
        assert_eq!(check(b"GIF89a\x2c\x01\xfa\0\0\0\0"), "image/gif 300×250");
        let jpeg =
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08\0\x5a\x02\xd8\x03";
        assert_eq!(check(jpeg), "image/jpeg 728×90");
        let webp = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xd7\x02\0\x59\0\0";
        assert_eq!(check(webp), "image/webp 728×90");
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        let no_picture = "it must be a picture: PNG, JPEG, GIF or WebP";
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
        for bytes in [
            svg.as_bytes(),
            b"a text that is named banner.png",
            b"",
            b"\x89PNG",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01",
        ] {
            assert_eq!(check(bytes), no_picture);
        }
        for (width, height) in [(0, 90), (728, 0), (4097, 1), (1, 70_000)] {
            assert_eq!(check(&png(width, height)), "it must be 1 to 4096 pixels wide and high");
        }
        assert_eq!(check(&vec![0; IMAGE_MAX + 1]), "it must be at most 300 KiB");
    }

    #[test]
    fn a_banner_is_a_link_with_a_picture_and_one_that_counts() {
        let banner = Content::Banner {
            url: "https://p.example/materials/mat_1",
            size: (728, 90),
            alternative: "\"Spring\" <script> & 'more'",
        };
        insta::assert_snapshot!(embedded(banner, WAYS), @r#"<a href="https://go.example/c/a?x=1&amp;y=2"><img src="https://p.example/materials/mat_1" alt="&quot;Spring&quot; &lt;script&gt; &amp; &#39;more&#39;" width="728" height="90"></a><img src="https://go.example/i/a" width="1" height="1" alt="">"#);
    }

    #[test]
    fn a_text_has_the_link_wherever_it_asks_for_it() {
        let text = Content::Words("Look: {link}\nAgain: {link} {else}");
        let ways = Ways { link: "https://go.example/c/a", ..WAYS };
        assert_eq!(
            embedded(text, ways),
            "Look: https://go.example/c/a\nAgain: https://go.example/c/a {else}"
        );
    }

    #[test]
    fn a_link_tells_its_material() {
        let id: MaterialId = "mat_01JH0000000000000000000000".parse().unwrap();
        let told = "https://go.example/c/a?utm_content=mat_01JH0000000000000000000000";
        assert_eq!(told_apart("https://go.example/c/a", id), told);
        assert!(
            told_apart("https://go.example/c/a?x=1", id)
                .ends_with("?x=1&utm_content=mat_01JH0000000000000000000000")
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, head in 0..4_usize) {
            let heads: [&[u8]; 4] = [b"\x89PNG", b"GIF89a", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8"];
            _ = Picture::read(&[heads[head], &bytes].concat());
        }
    }
}
