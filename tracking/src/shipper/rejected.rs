//! Clicks that the database will never take are set aside in a file, so that the others go on.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use domain::click::Click;
use serde::Serialize;

/// The version of the lines that this release writes.
const VERSION: u8 = 1;

/// One line of the file. A crash may set the same click aside again: lines are told apart by the click's id.
#[derive(Serialize)]
struct Line<'a> {
    version: u8,
    /// Why Postgres refused it.
    sqlstate: &'a str,
    click: &'a Click,
}

/// The file beside the log.
#[derive(Debug, Clone)]
pub(crate) struct Rejected(PathBuf);

impl Rejected {
    /// In the folder that holds the log.
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.join("rejected.ndjson"))
    }

    /// Appends a click; when this returns, no crash can take it any more.
    pub(super) fn append(&self, click: &Click, sqlstate: &str) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { version: VERSION, sqlstate, click })?;
        line.push(b'\n');
        let is_new = !self.0.try_exists()?;
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.0)?;
        if is_torn(&mut file)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        file.sync_all()?;
        match self.0.parent() {
            Some(folder) if is_new => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

/// Whether a crash cut the last line off, so that a new one must not continue it.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    /// Written by the first release; never changes.
    const EVENT: &[u8] = include_bytes!("../fixtures/event_v1.postcard");

    #[test]
    fn a_line_holds_the_whole_click_and_stands_alone_even_after_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let rejected = Rejected::new(folder.path());
        let Event::Click(mut click) = Event::decode(EVENT).unwrap();
        click.tags.source = "a\0b".into();
        rejected.append(&click, "22021").unwrap();
        let file = folder.path().join("rejected.ndjson");
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"vers").unwrap();
        rejected.append(&click, "22021").unwrap();
        let written = std::fs::read_to_string(file).unwrap();
        let lines: Vec<_> = written.lines().collect();
        assert_eq!((lines.len(), lines[1], lines[2]), (3, "{\"vers", lines[0]));
        insta::assert_snapshot!(lines[0], @r#"{"version":1,"sqlstate":"22021","click":{"id":"clk_01J0B3V1MMEEDTX9CPDGKFHBCH","occurred_at_us":1769947200123456,"link":"lnk_01J0B3V1MMEEDTX9CPDGKFHBCJ","affiliate":"aff_01J0B3V1MMEEDTX9CPDGKFHBCK","campaign":"cmp_01J0B3V1MMEEDTX9CPDGKFHBCM","advertiser":"adv_01J0B3V1MMEEDTX9CPDGKFHBCN","session":"ses_01J0B3V1MMEEDTX9CPDGKFHBCP","tags":{"subs":["sub 1","sub 2","sub 3","sub 4","sub 5","sub 6","sub 7","sub 8","sub 9","sub 10"],"source":"a\u0000b","uid":"reader-7","external_click_id":"ext-9","utm":["a","b","c","d","é"]},"address_hash":[7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7],"network":"203.0.113.0","country":"DE","device":"tablet","user_agent":"Mozilla/5.0","referrer":"https://blog.example/post"}}"#);
        let read: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!(serde_json::from_value::<Click>(read["click"].clone()).unwrap(), click);
    }
}
