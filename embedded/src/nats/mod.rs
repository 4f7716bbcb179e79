//! A private NATS cluster whose servers can be killed, put to sleep, cut off from each other, and robbed of their disks.
//!
//! The servers reach each other through relays of ours, one for each direction between two of them, and so any of
//! them can be alive and alone.

mod binary;
mod relay;
mod server;

use std::io;

pub use self::binary::find;
use self::{
    relay::Relay,
    server::{Ports, Server},
};
pub use crate::{
    installed::{Binary, FindError},
    process::StartError,
};
use crate::{
    process::{self, Server as _},
    secret::random_hex,
};

/// How many accounts a cluster has; none of them sees the streams of another.
const ACCOUNTS: usize = 16;

/// Servers with JetStream on 127.0.0.1, whose data are thrown away with them. Dropping the cluster ends them; if this
/// process dies first, watchdogs do the same.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Server>,
    /// From which server to which, by number.
    relays: Vec<(usize, usize, Relay)>,
    password: String,
}

impl Cluster {
    /// Starts so many servers, and waits until they are one cluster. A single one is a server of its own.
    pub fn start(servers: usize) -> Result<Self, StartError> {
        let binary = find()?;
        process::start(
            || Self::prepare(&binary, servers),
            Self::launch_all,
            |cluster| cluster.servers.iter().any(Server::lost_its_ports),
        )
    }

    fn prepare(binary: &Binary, servers: usize) -> io::Result<Self> {
        let password = random_hex()?;
        let ports: Vec<Ports> = (0..servers).map(|_| Ports::free()).collect::<io::Result<_>>()?;
        let mut relays = Vec::new();
        for from in 0..servers {
            for to in (0..servers).filter(|to| *to != from) {
                relays.push((from, to, Relay::start(ports[to].routes)?));
            }
        }
        let made = ports.iter().enumerate().map(|(number, ports)| {
            let ways = relays.iter().filter(|(from, _, _)| *from == number);
            let routes: Vec<String> =
                ways.map(|(_, _, relay)| format!("nats://127.0.0.1:{}", relay.port())).collect();
            Server::new(binary, *ports, &settings(number, *ports, &password, &routes))
        });
        let servers = made.collect::<io::Result<_>>()?;
        Ok(Self { servers, relays, password })
    }

    fn launch_all(&mut self) -> Result<(), StartError> {
        for server in &mut self.servers {
            server.launch()?;
        }
        self.wait_until_ready()
    }

    /// Waits until every server runs and has caught up with the others.
    pub fn wait_until_ready(&mut self) -> Result<(), StartError> {
        process::wait_until_ready(&mut self.servers)
    }

    /// Where a client finds the cluster: all its servers, divided by commas. There are accounts 0 to 15, each with
    /// streams of its own.
    pub fn url(&self, account: usize) -> String {
        let (user, password) = (user(account), &self.password);
        let ports = self.servers.iter().map(|server| server.ports.clients);
        let urls = ports.map(|port| format!("nats://{user}:{password}@127.0.0.1:{port}"));
        urls.collect::<Vec<_>>().join(",")
    }

    /// How many servers there are; they are numbered from zero.
    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Kills a server as a crash would; [`Cluster::restart`] brings it back.
    pub fn kill(&mut self, server: usize) -> io::Result<()> {
        self.servers[server].process.kill()
    }

    /// Starts a killed server again, on the same ports and data, without waiting for it.
    pub fn restart(&mut self, server: usize) -> io::Result<()> {
        self.servers[server].launch()
    }

    /// Puts a server to sleep: its connections stay open, and nobody answers on them.
    pub fn freeze(&self, server: usize) -> io::Result<()> {
        self.servers[server].process.freeze()
    }

    /// Wakes a sleeping server.
    pub fn thaw(&self, server: usize) -> io::Result<()> {
        self.servers[server].process.thaw()
    }

    /// Cuts a server off from the other ones; its clients still reach it.
    pub fn partition(&self, server: usize) {
        self.ways_of(server).for_each(Relay::cut);
    }

    /// Lets a server reach the other ones again.
    pub fn heal(&self, server: usize) {
        self.ways_of(server).for_each(Relay::heal);
    }

    /// Kills a server and throws away everything it had on its disk, as when the machine is replaced.
    pub fn wipe(&mut self, server: usize) -> io::Result<()> {
        self.servers[server].wipe()
    }

    fn ways_of(&self, server: usize) -> impl Iterator<Item = &Relay> {
        let ways = self.relays.iter().filter(move |(from, to, _)| [*from, *to].contains(&server));
        ways.map(|(_, _, relay)| relay)
    }
}

fn user(account: usize) -> String {
    format!("tributary-{account}")
}

/// What a server's configuration says. Nobody can follow the address by which the servers tell each other of one
/// another: it must not lead around the relays. One connection carries everything between two servers, because the
/// several of a pool would each need a relay.
fn settings(number: usize, ports: Ports, password: &str, routes: &[String]) -> String {
    let Ports { clients, routes: own, monitoring } = ports;
    let accounts = (0..ACCOUNTS).map(|account| {
        let user = user(account);
        format!("  {user}: {{ jetstream: enabled, users: [{{ user: {user}, password: {password:?} }}] }}\n")
    });
    let mut settings = format!(
        "server_name: server-{number}\nlisten: 127.0.0.1:{clients}\nhttp: 127.0.0.1:{monitoring}\n\
         accounts {{\n{}}}\n",
        accounts.collect::<String>()
    );
    if !routes.is_empty() {
        settings += &format!(
            "cluster {{\n  name: tributary\n  listen: 127.0.0.1:{own}\n  advertise: \"127.0.0.1:1\"\n  pool_size: -1\n  \
             routes: [{}]\n}}\n",
            routes.join(", ")
        );
    }
    settings
}
