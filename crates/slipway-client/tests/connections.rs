// SPDX-License-Identifier: Apache-2.0
//! What becomes of a call when its connection does not do what it should.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Response};
use slipway_client::{Answer, Client, Credentials, ModelRef, Request};
use slipway_core::{Code, Error, VersionChoice};
use tokio::net::TcpListener;

/// What the server does with the first call of a connection.
#[derive(Clone, Copy)]
enum Deed {
    Answer,
    Refuse,
    SayGoodbye,
    HangUp,
    Send(&'static [u8]),
    LeaveOutStatus,
}

/// A server that does one deed a connection, and the last one ever after.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn start(deeds: &'static [Deed]) -> Self {
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    let number = counter.fetch_add(1, SeqCst);
                    let deed = deeds[number.min(deeds.len() - 1)];
                    tokio::spawn(async move {
                        let mut connection = h2::server::handshake(stream).await.unwrap();
                        if matches!(deed, Deed::SayGoodbye) {
                            // Before any call is looked at.
                            connection.abrupt_shutdown(Reason::NO_ERROR);
                        }
                        while let Some(Ok((_request, respond))) = connection.accept().await {
                            if matches!(deed, Deed::HangUp) {
                                return;
                            }
                            act(deed, respond);
                        }
                    });
                }
            });
        });
        Self { address: receiver.recv().unwrap(), connections }
    }

    /// Asks twice, and returns both outcomes with the number of connections it took.
    fn ask_twice(&self) -> (Vec<Result<usize, Error>>, usize) {
        let client = Client::new(&self.address.to_string(), &Credentials::default(), 1000).unwrap();
        let ask = |_| {
            let model = ModelRef { name: "m".to_owned(), choice: VersionChoice::Latest };
            let timeout = Some(Duration::from_secs(10));
            match client.ask(Request::Status(model), timeout, || false).unwrap()? {
                Answer::Status(versions) => Ok(versions.len()),
                other => panic!("{other:?}"),
            }
        };
        let outcomes = (0..2).map(ask).collect();
        (outcomes, self.connections.load(SeqCst))
    }
}

fn act(deed: Deed, mut respond: SendResponse<Bytes>) {
    let body: &'static [u8] = match deed {
        Deed::Refuse => return respond.send_reset(Reason::REFUSED_STREAM),
        Deed::Send(body) => body,
        _ => &[0; 5],
    };
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    if matches!(deed, Deed::LeaveOutStatus) {
        return stream.send_data(Bytes::from_static(body), true).unwrap();
    }
    stream.send_data(Bytes::from_static(body), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers).unwrap();
}

#[test]
fn calls_share_a_connection() {
    let (outcomes, connections) = Server::start(&[Deed::Answer]).ask_twice();
    assert_eq!((outcomes, connections), (vec![Ok(0), Ok(0)], 1));
}

#[test]
fn a_call_that_was_not_begun_is_sent_again() {
    for deeds in [&[Deed::Refuse, Deed::Answer], &[Deed::SayGoodbye, Deed::Answer]] {
        let (outcomes, connections) = Server::start(deeds).ask_twice();
        assert_eq!((outcomes, connections), (vec![Ok(0), Ok(0)], 2));
    }
}

#[test]
fn it_is_sent_again_once() {
    let (outcomes, connections) = Server::start(&[Deed::Refuse]).ask_twice();
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().code == Code::Unavailable));
    // The second call begins with the connection that the first one ended with.
    assert_eq!(connections, 3);
}

#[test]
fn a_call_that_may_have_been_begun_is_not_sent_again() {
    let (mut outcomes, connections) = Server::start(&[Deed::HangUp, Deed::Answer]).ask_twice();
    assert_eq!(outcomes.pop(), Some(Ok(0)));
    assert_eq!(outcomes.pop().unwrap().unwrap_err().code, Code::Unavailable);
    assert_eq!(connections, 2);
}

#[test]
fn an_answer_that_is_none_of_grpc_is_an_error_of_its_call_alone() {
    for (deed, code, fact) in [
        (Deed::Send(&[0, 0, 0, 0, 9]), Code::Internal, "the answer is cut off"),
        (Deed::Send(&[0, 0]), Code::Internal, "the answer is cut off"),
        (Deed::Send(&[0; 6]), Code::Internal, "more than one message"),
        (Deed::Send(&[1, 0, 0, 0, 0]), Code::Internal, "the answer is compressed"),
        (Deed::Send(&[]), Code::Internal, "the answer has no message"),
        (Deed::Send(&[0, 0, 0, 0, 1, 0xff]), Code::Internal, "the answer cannot be read"),
        (Deed::Send(&[0, 0, 1, 0, 0]), Code::ResourceExhausted, "the answer has 65536 bytes"),
        (Deed::LeaveOutStatus, Code::Internal, "the answer has no gRPC status"),
    ] {
        let deeds: &'static [Deed] = Box::leak(Box::new([deed]));
        let (outcomes, connections) = Server::start(deeds).ask_twice();
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert_eq!(error.code, code, "{error}");
            assert!(error.message.contains(fact), "{error}");
        }
        assert_eq!(connections, 1);
    }
}
