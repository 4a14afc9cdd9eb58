//! A way to a server that can be slow, or drop every packet.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// `BPF_RET | BPF_K`, which takes so many bytes of a packet: none, so that the packet is gone.
const BPF_RETURN: u16 = 0x06;

/// Chunks of bytes that are under way.
const UNDER_WAY_MAX: usize = 1024;

/// Listens on a port of its own, and passes on to a server what it gets.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    delay: watch::Sender<Duration>,
    sockets: Arc<Mutex<Sockets>>,
}

#[derive(Debug, Default)]
struct Sockets {
    /// Whether packets are dropped.
    is_cut: bool,
    all: Vec<socket2::Socket>,
}

impl Sockets {
    fn adds(&mut self, socket: socket2::Socket) {
        if self.is_cut {
            drops_packets(&socket);
        }
        self.all.push(socket);
    }
}

fn drops_packets(socket: &socket2::Socket) {
    socket.attach_filter(&[SockFilter::new(BPF_RETURN, 0, 0, 0)]).unwrap();
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let delay = watch::Sender::new(Duration::ZERO);
        let mut sockets = Sockets::default();
        sockets.adds(SockRef::from(&listener).try_clone().unwrap());
        let sockets = Arc::new(Mutex::new(sockets));
        let (delays, added) = (delay.subscribe(), Arc::clone(&sockets));
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                added.lock().unwrap().adds(SockRef::from(&client).try_clone().unwrap());
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], server))).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                passes_on(from_client, to_server, delays.clone());
                passes_on(from_server, to_client, delays.clone());
            }
        });
        Self { port, delay, sockets }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Everything takes so much longer in each direction.
    pub(crate) fn delays(&self, by: Duration) {
        self.delay.send_replace(by);
    }

    /// Drops every packet from now on, those that open a connection too, as a firewall does: nothing is answered and
    /// nothing is closed.
    pub(crate) fn cuts(&self) {
        let mut sockets = self.sockets.lock().unwrap();
        sockets.is_cut = true;
        sockets.all.iter().for_each(drops_packets);
    }

    /// Lets packets through again.
    pub(crate) fn mends(&self) {
        let mut sockets = self.sockets.lock().unwrap();
        sockets.is_cut = false;
        for socket in &sockets.all {
            // Fails where there is no filter.
            let _ = socket.detach_filter();
        }
    }
}

/// Passes on bytes in their order, each after the delay of the moment when it came.
fn passes_on(
    mut from: impl AsyncReadExt + Unpin + Send + 'static,
    mut to: impl AsyncWriteExt + Unpin + Send + 'static,
    delay: watch::Receiver<Duration>,
) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY_MAX);
    tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let due = Instant::now() + *delay.borrow();
            if sender.send((due, buffer[..count].to_vec())).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
    });
}
