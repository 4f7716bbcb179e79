//! A small shell that outlives us and stops a server if we die without doing so ourselves.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Reads orders from a pipe whose only writer is the process that owns the server. When that process ends, however
/// it ends, the pipe ends too. The process number is compared with the server's own note of it, because numbers
/// are used again. A server that sleeps is woken, or it would not hear that it should end.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
note=$1 doomed=$2 signals=$3 watched=
while read -r order process; do
    case $order in
        watch) watched=$process ;;
        halted) watched= ;;
        stopped) exit 0 ;;
    esac
done
serves() {
    noted=
    # A note may lack the end of its line; then reading it fails, and yet it was read.
    [ -n "$watched" ] && kill -0 "$watched" && [ -r "$note" ] && { read -r noted < "$note" || true; } &&
        [ "$noted" = "$watched" ]
}
for signal in $signals; do
    serves && kill -s "$signal" "$watched" && kill -s CONT "$watched"
    tries=0
    while serves && [ "$tries" -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
done
[ -z "$doomed" ] || rm -rf -- "$doomed"
"#;

/// Lives as long as a server might run; see the module.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Starts watching over the server that writes its process number into the first line of `note`, and would be
    /// ended with these signals. `doomed` is a folder to remove, too, should we die.
    pub(crate) fn start(note: &Path, doomed: Option<&Path>, signals: &str) -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "tributary-watchdog"])
            .arg(note)
            .arg(doomed.unwrap_or(Path::new("")))
            .arg(signals)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C reaches the terminal's foreground group; the watchdog must not be in it.
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// A server runs now and must not outlive us.
    pub(crate) fn watch(&mut self, process: u32) -> io::Result<()> {
        self.order(&format!("watch {process}\n"))
    }

    /// No server runs now.
    pub(crate) fn halted(&mut self) -> io::Result<()> {
        self.order("halted\n")
    }

    /// There is nothing left to watch over.
    pub(crate) fn dismiss(mut self) -> io::Result<()> {
        self.order("stopped\n")?;
        self.shell.wait().map(|_| ())
    }

    fn order(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.shell.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(line.as_bytes())
    }
}
