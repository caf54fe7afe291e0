//! A real Redis for one test: Debian's redis-server on a free loopback port, in a folder of its own.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use redis::{Client, Connection, FromRedisValue};
use tempfile::TempDir;

use super::program::Program;

/// A server. Dropped, it ends.
pub struct RedisServer {
    program: Option<Program>,
    arguments: Vec<String>,
    pub address: SocketAddr,
    pub folder: TempDir,
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl RedisServer {
    /// With `arguments` after the usual ones.
    pub fn start(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let mut said = String::new();
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
            match run(address, &folder, &arguments) {
                Ok(program) => return Self { program: Some(program), arguments, address, folder },
                Err(error) => said = error,
            }
        }
        panic!("{said}");
    }

    /// Kills it, as a machine that goes away would.
    pub fn kill(&mut self) {
        self.program = None;
    }

    /// Starts it again at the same place, with what it kept on disk.
    pub fn start_again(&mut self) {
        self.program = Some(run(self.address, &self.folder, &self.arguments).unwrap_or_else(|said| panic!("{said}")));
    }

    pub fn connection(&self) -> Connection {
        Client::open(format!("redis://{}/", self.address)).unwrap().get_connection().unwrap()
    }

    /// Asks it something, past everything of ours.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut self.connection()).unwrap()
    }
}

fn run(address: SocketAddr, folder: &TempDir, arguments: &[String]) -> Result<Program, String> {
    let mut command = Command::new("redis-server");
    command.arg("--port").arg(address.port().to_string()).arg("--bind").arg("127.0.0.1");
    command.arg("--dir").arg(folder.path()).args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
    // A replica is up to date at once, instead of waiting for others to be told together with it.
    command.args(["--repl-diskless-sync-delay", "0"]).args(arguments);
    Program::try_start(command, |line| line.contains("Ready to accept connections").then_some(()))
        .map(|(program, ())| program)
}
