//! Who is measured: the tracker in both of its modes, and the floors and peers that it is held against.

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{cores, load, program::LINKS, requests, stage::Stage};

/// How long a server may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
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

/// A contestant that serves; dropping it ends it.
pub struct Serving {
    /// Where.
    pub address: SocketAddr,
    /// The cookie that it gave to its first visitor.
    pub cookie: Option<String>,
    child: Child,
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

    /// Starts it on the server's core, in an empty folder of its own, and waits until it redirects. The visitor who
    /// finds that out is the first click.
    pub fn start(self, stage: &Stage) -> Result<Serving> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, embedded::free_port()?));
        let folder = stage.folder.join(self.key());
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)?;
        let mut command = self.command(stage, address, &folder)?;
        let log = File::create(folder.join("output"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let start = || command.spawn().with_context(|| format!("{} cannot be started", self.name()));
        let child = cores::on(&stage.cores.server, start)?;
        let mut serving = Serving { address, cookie: None, child };
        serving.wait_until_it_redirects(&folder)?;
        Ok(serving)
    }

    fn command(self, stage: &Stage, address: SocketAddr, folder: &Path) -> Result<Command> {
        let with = |name: &str| Ok::<_, anyhow::Error>(Command::new(stage.program(name)?));
        let mut command = match self {
            Self::Commit => tracker(with("tributary-track")?, "commit", folder),
            Self::Interval => tracker(with("tributary-track")?, "interval", folder),
            Self::Axum => with("click_without_log")?,
            Self::Hyper => with("bare_redirect")?,
            Self::Nginx => return nginx(address, folder),
        };
        command.env("DATABASE_URL", &stage.database_url).env("TRIBUTARY_SECRET", stage.secret());
        match self {
            Self::Commit | Self::Interval => command.args(["--listen", &address.to_string()]),
            Self::Axum => command.args([address.to_string(), LINKS.to_string()]),
            _ => command.arg(address.to_string()),
        };
        Ok(command)
    }
}

fn tracker(mut command: Command, durability: &str, folder: &Path) -> Command {
    // The visitors come from many addresses, told by a proxy in front, which is the load generator itself.
    command.args(["--durability", durability, "--trusted-proxy", "127.0.0.1/32", "--data-dir"]);
    command.arg(folder.join("data"));
    command
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

impl Serving {
    fn wait_until_it_redirects(&mut self, folder: &Path) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok((302, head)) = load::ask(self.address, &requests::first()) {
                self.cookie = cookie_in(&head);
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended while starting ({status}): {}", last_line(folder));
            }
            if deadline < Instant::now() {
                bail!("it redirected nobody within {} s: {}", PATIENCE.as_secs(), last_line(folder));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Asks it to end and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if deadline < Instant::now() {
                self.child.kill()?;
                self.child.wait()?;
                bail!("a server did not end within {} s and was killed", PATIENCE.as_secs());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // There is nobody left to tell.
        self.end().ok();
    }
}

/// What a browser would send back: the name and the value.
fn cookie_in(head: &str) -> Option<String> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let (_, cookie) = headers.find(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))?;
    cookie.split(';').next().map(|pair| pair.trim().to_owned())
}

fn last_line(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("output")).unwrap_or_default();
    text.lines().last().unwrap_or("it said nothing").to_owned()
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
