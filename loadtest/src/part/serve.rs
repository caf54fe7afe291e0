//! Serving as the sidecar does: a single-threaded runtime for each core, each with a listener on the same port.

use std::io;
use std::io::Read as _;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// What a part says once it listens, before its address.
pub(super) const LISTENING: &str = "listening ";

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// Serves each connection with `serve` until our standard input ends, which it does when whoever started us has ended.
///
/// # Errors
/// When no port can be had or no thread started.
pub(super) fn on_every_core<F>(serve: impl Fn(TcpStream) -> F + Clone + Send + 'static) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    for _ in 0..cores {
        let listener = listen(address)?;
        address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = serve.clone();
        std::thread::Builder::new().spawn(move || runtime.block_on(accept(listener, serve)))?;
    }
    println!("{LISTENING}{address}");
    let mut end = [0; 64];
    while io::stdin().read(&mut end)? > 0 {}
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept<F>(listener: std::net::TcpListener, serve: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream));
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}
