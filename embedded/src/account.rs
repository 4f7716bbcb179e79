//! The account a server runs under: our own, or an unprivileged one when we are root (Postgres refuses root).

use std::{
    fs, io,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::geteuid;

/// Accounts to take in place of root, the most fitting first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Who owns the data and runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// The user who runs us.
    Ourselves,
    /// Another user, because we are root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The account for a server that we start, or none when we are root and the machine knows no other user.
    pub(crate) fn for_server() -> io::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(Some(Self::Ourselves));
        }
        Ok(unprivileged(&fs::read_to_string("/etc/passwd")?))
    }

    /// A command that runs under this account, from `/`, without Postgres settings of the caller's environment.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // The account may not be allowed to read the folder we were started in.
        command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes a file or folder belong to this account.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
    }

    /// Whether this account may enter `folder`; the kernel is asked, so every parent and every rule counts.
    pub(crate) fn can_enter(self, folder: &Path) -> bool {
        let answer = self
            .command(Path::new("/bin/sh"))
            .args(["-c", "cd -- \"$1\"", "sh"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        answer.is_ok_and(|status| status.success())
    }
}

fn unprivileged(passwd: &str) -> Option<Account> {
    UNPRIVILEGED.iter().find_map(|wanted| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next() != Some(wanted) {
                return None;
            }
            let uid: u32 = fields.nth(1)?.parse().ok()?;
            let gid: u32 = fields.next()?.parse().ok()?;
            (uid != 0).then_some(Account::Other { uid, gid })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(passwd: &str, expected: Option<(u32, u32)>) {
        let found = unprivileged(passwd);
        assert_eq!(found, expected.map(|(uid, gid)| Account::Other { uid, gid }), "in {passwd:?}");
    }

    #[test]
    fn postgres_is_taken_before_nobody() {
        check(
            "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533::/:/n\npostgres:x:101:104::/:/n\n",
            Some((101, 104)),
        );
    }

    #[test]
    fn nobody_serves_where_there_is_no_postgres() {
        check("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533::/:/n\n", Some((65534, 65533)));
    }

    #[test]
    fn an_account_that_is_root_by_another_name_is_not_taken() {
        check("postgres:x:0:0::/root:/bin/sh\n", None);
    }

    #[test]
    fn a_machine_without_other_users_has_no_account() {
        check("root:x:0:0::/root:/bin/sh\npostgresql:x:5:5::/:/n\nbroken\n", None);
    }
}
