//! Who is measured: the tracker in both of its modes, and the floors and peers that it is held against.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{
    program::LINKS,
    requests,
    serving::{self, Serving},
    stage::Stage,
    tracker::{Durability, Tracker},
};

/// What nginx writes of a click: the same facts as our log.
const NGINX_LOG: &str = r#"log_format click '$msec\t$request_id\t$uri\t$args\t$http_x_forwarded_for\t$http_user_agent\t'
                     '$http_referer\t$cookie_affiliate_id';"#;

/// A server that answers clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contestant {
    /// The tracker; a click is on the disk before the redirect.
    Commit,
    /// The tracker; a click is on the disk some milliseconds after the redirect.
    Interval,
    /// nginx, which writes its access log through a buffer.
    Nginx,
    /// axum, with all of a click but the log.
    Axum,
    /// hyper, with nothing but a redirect.
    Hyper,
}

impl Contestant {
    /// Everybody, in the order of a report.
    pub const ALL: [Self; 5] = [Self::Commit, Self::Interval, Self::Nginx, Self::Axum, Self::Hyper];

    /// The name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Interval => "interval",
            Self::Nginx => "nginx, buffered log",
            Self::Axum => "axum, no log",
            Self::Hyper => "hyper, bare",
        }
    }

    /// The name on a command line.
    pub fn key(self) -> &'static str {
        self.name().split(',').next().unwrap_or_default()
    }

    /// Whether it is the product and keeps clicks.
    pub fn is_tracker(self) -> bool {
        matches!(self, Self::Commit | Self::Interval)
    }

    /// Whether this machine has it.
    pub fn is_here(self) -> bool {
        self != Self::Nginx || Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok()
    }

    /// Starts it on the server's core, in an empty folder of its own, and waits until it redirects a first visitor:
    /// returns with what cookie, if with any.
    pub fn start(self, stage: &Stage) -> Result<(Serving, Option<String>)> {
        let folder = stage.folder.join(self.key());
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)?;
        let mut serving = match self {
            Self::Commit => Tracker::new(stage, Durability::Commit, &folder).start()?,
            Self::Interval => Tracker::new(stage, Durability::Interval, &folder).start()?,
            Self::Nginx | Self::Axum | Self::Hyper => {
                let address = serving::free_address()?;
                Serving::start(self.command(stage, address, &folder)?, address, &stage.cores, &folder)?
            }
        };
        let head = serving.wait_for(302, &requests::first())?;
        Ok((serving, cookie_in(&head)))
    }

    fn command(self, stage: &Stage, address: SocketAddr, folder: &Path) -> Result<Command> {
        if self == Self::Nginx {
            return nginx(address, folder);
        }
        let program = if self == Self::Axum { "click_without_log" } else { "bare_redirect" };
        let mut command = Command::new(stage.program(program)?);
        command.env("TRIBUTARY_SECRET", stage.secret()).args([address.to_string(), LINKS.to_string()]);
        Ok(command)
    }
}

/// One worker that redirects with an id and a cookie, and buffers its log as its manual proposes.
fn nginx(address: SocketAddr, folder: &Path) -> Result<Command> {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|kind| format!("{kind}_temp_path {kind};")).join(" ");
    let config = format!(
        r#"worker_processes 1;
daemon off;
pid pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    {temporary}
    {NGINX_LOG}
    access_log clicks click buffer=64k flush=1s;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    server {{
        listen {address};
        location /c/ {{
            add_header Cache-Control no-store;
            add_header Referrer-Policy strict-origin-when-cross-origin;
            add_header Set-Cookie "affiliate_id=$request_id; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax";
            return 302 "https://shop.example/products?$args&clickid=$request_id";
        }}
    }}
}}
"#
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.args([OsStr::new("-p"), folder.as_os_str(), OsStr::new("-c"), OsStr::new("nginx.conf")]);
    command.args(["-e", "stderr"]);
    Ok(command)
}

/// What a browser would send back: the name and the value.
fn cookie_in(head: &str) -> Option<String> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let (_, cookie) = headers.find(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))?;
    cookie.split(';').next().map(|pair| pair.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_has_a_name_and_a_key_of_their_own() {
        let keys: BTreeSet<&str> = Contestant::ALL.iter().map(|it| it.key()).collect();
        assert_eq!(keys, BTreeSet::from(["commit", "interval", "nginx", "axum", "hyper"]));
    }

    #[test]
    fn a_cookie_is_sent_back_without_its_attributes() {
        let head = "HTTP/1.1 302 Found\r\nSet-Cookie: affiliate_id=a.b.c; Path=/; Secure\r\n\r\n";
        assert_eq!(cookie_in(head).as_deref(), Some("affiliate_id=a.b.c"));
        assert_eq!(cookie_in("HTTP/1.1 302 Found\r\n\r\n"), None);
    }
}
