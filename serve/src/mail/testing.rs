//! Somebody else's SMTP server, as far as a client of it sees: it takes letters, and refuses as it is told to.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use domain::{Chance, Clock};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::Post;

/// A server that takes letters; it goes with the test's runtime.
pub struct MailServer {
    address: SocketAddr,
    mailroom: Arc<Mailroom>,
}

#[derive(Default)]
struct Mailroom {
    taken: Mutex<Vec<Taken>>,
    /// What it says to the next letters instead of taking them.
    refusals: Mutex<VecDeque<&'static str>>,
}

/// A letter as it came.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Whom the sender names to the server.
    pub from: String,
    /// Whom it goes to.
    pub to: String,
    /// Headers and text, line by line.
    pub text: String,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, mailroom) = (listener.local_addr().unwrap(), Arc::<Mailroom>::default());
        let served = Arc::clone(&mailroom);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&served)));
            }
        });
        Self { address, mailroom }
    }

    /// How it is named in settings.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What gives letters to it.
    pub fn post(&self, clock: &Clock, chance: &Chance) -> Post {
        let from = "Tributary <no-reply@shop.example>".parse().unwrap();
        Post::new(&self.url().parse().unwrap(), from, (clock, chance))
    }

    /// Says this to the next letter.
    pub fn refuse_next(&self, answer: &'static str) {
        self.mailroom.refusals.lock().unwrap().push_back(answer);
    }

    /// What has come so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.mailroom.taken.lock().unwrap().clone()
    }

    /// The only letter that has come so far.
    pub fn only(&self) -> Taken {
        let taken = self.taken();
        assert_eq!(taken.len(), 1, "{taken:?}");
        taken[0].clone()
    }
}

impl Taken {
    /// What a reader sees: long lines are written with soft breaks (quoted-printable).
    pub fn read(&self) -> String {
        self.text.replace("=\n", "").replace("=3D", "=")
    }

    /// The path of the link in it.
    pub fn link(&self) -> String {
        let text = self.read();
        let (_, link) = text.split_once("/sign-in/link/").expect("there is a link in it");
        format!("/sign-in/link/{}", link.split_whitespace().next().unwrap_or_default())
    }
}

/// One connection: a letter or several, until the client goes.
async fn talk(stream: TcpStream, room: Arc<Mailroom>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.example\r\n").await?;
    let mut letter = Taken::default();
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let refusal = (verb == "MAIL").then(|| room.refusals.lock().unwrap().pop_front()).flatten();
        let answer = match (verb.as_str(), refusal) {
            (_, Some(refusal)) => refusal,
            ("EHLO", _) => "250 mail.example",
            ("MAIL", _) => {
                letter.from = mailbox(&line);
                "250 go on"
            }
            ("RCPT", _) => {
                letter.to = mailbox(&line);
                "250 go on"
            }
            ("DATA", _) => {
                write.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    letter.text += line.strip_prefix('.').unwrap_or(&line);
                    letter.text.push('\n');
                }
                room.taken.lock().unwrap().push(std::mem::take(&mut letter));
                "250 taken"
            }
            ("QUIT", _) => "221 bye",
            _ => "502 what?",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// What stands between angle brackets.
fn mailbox(line: &str) -> String {
    let (_, after) = line.split_once('<').unwrap_or_default();
    after.split('>').next().unwrap_or_default().to_owned()
}
