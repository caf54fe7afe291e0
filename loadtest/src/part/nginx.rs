//! nginx in the sidecar's place, where it is installed: what people would compare with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Failed;
use crate::system::child::{Child, free_port};
use crate::system::cores::Cores;

/// The program, if it is in `PATH`.
pub fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("nginx")).find(|file| file.is_file())
}

/// One process, no log, connections kept open on both sides: as close to the bare hop as its settings allow.
fn config(folder: &Path, listen: SocketAddr, to: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 100000000;
    upstream service {{
        server {to};
        keepalive 256;
        keepalive_requests 100000000;
    }}
    server {{
        listen {listen};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $host;
        }}
    }}
}}
"
    )
}

/// Starts it in front of `to`, and waits until it answers.
///
/// # Errors
/// When it does not.
pub async fn start(
    program: &Path,
    to: SocketAddr,
    cores: &[usize],
    home: &Cores,
    folder: &Path,
) -> Result<(Child, SocketAddr), Failed> {
    let listen = free_port()?;
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config(folder, listen, to)).map_err(|e| Failed::to("writing nginx.conf", e))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(&file).arg("-e").arg(folder.join("nginx-error.log"));
    let log = folder.join("nginx.log");
    let mut child = Child::start("nginx", command, cores, home, &log)?;
    let answers = |_: &str| std::net::TcpStream::connect_timeout(&listen, Duration::from_millis(100)).ok().map(drop);
    child.says(&log, Duration::from_secs(5), answers).await?;
    Ok((child, listen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_loopback_and_writes_into_its_folder_only() {
        let (listen, to) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2)));
        let text = config(Path::new("/tmp/x"), listen, to);
        assert!(text.contains("listen 127.0.0.1:1;") && text.contains("server 127.0.0.1:2;"), "{text}");
        for line in text.lines().filter(|line| line.contains("_path") || line.contains("pid") || line.contains("_log"))
        {
            assert!(line.contains("/tmp/x/") || line.contains("off;"), "{line}");
        }
    }
}
