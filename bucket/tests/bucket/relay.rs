//! A way to the store on which answers are lost or end in the middle.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use bucket::Bucket;

use crate::server;

/// Hands requests on, one for each connection, and loses the answers to the next few that write, or half of the answers to
/// the next few that read.
pub(crate) struct Relay {
    port: u16,
    harm: Arc<Harm>,
}

#[derive(Default)]
struct Harm {
    lose: AtomicU32,
    halve: AtomicU32,
}

impl Relay {
    /// Runs until the tests end.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, harm) = (listener.local_addr().unwrap().port(), Arc::<Harm>::default());
        let told = Arc::clone(&harm);
        thread::spawn(move || {
            for client in listener.incoming() {
                let told = Arc::clone(&told);
                thread::spawn(move || hand_on(client.unwrap(), &told));
            }
        });
        Self { port, harm }
    }

    /// A folder on the store, as seen from here.
    pub(crate) fn folder(&self, name: &str) -> Bucket {
        let mut variables = server().variables();
        variables[0].1 = format!("http://127.0.0.1:{}", self.port);
        Bucket::with(&server().address(name), variables).unwrap()
    }

    /// The store will do what it is asked so many times, and nobody will hear of it.
    pub(crate) fn lose(&self, answers: u32) {
        self.harm.lose.store(answers, Ordering::SeqCst);
    }

    /// So many answers to what is read will end in the middle.
    pub(crate) fn halve(&self, answers: u32) {
        self.harm.halve.store(answers, Ordering::SeqCst);
    }

    /// How many answers are still to be harmed.
    pub(crate) fn left(&self) -> u32 {
        self.harm.lose.load(Ordering::SeqCst) + self.harm.halve.load(Ordering::SeqCst)
    }
}

fn hand_on(mut client: TcpStream, harm: &Harm) {
    let Some(request) = request(&mut client) else { return };
    let mut upstream = TcpStream::connect(("127.0.0.1", server().port())).unwrap();
    upstream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    // The server closes after each answer.
    upstream.read_to_end(&mut answer).unwrap();
    let is_due = |left: &AtomicU32| {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    };
    let told = match &request[..4] {
        b"PUT " if is_due(&harm.lose) => 0,
        b"GET " if is_due(&harm.halve) => answer.len() / 2,
        _ => answer.len(),
    };
    client.write_all(&answer[..told]).unwrap();
}

/// One request, whole; none if the client only looked whether somebody is there.
fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = client.read(&mut piece).unwrap_or(0);
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if head.len() + 4 + length <= request.len() {
                return Some(request);
            }
        }
        if read == 0 {
            return None;
        }
    }
}
