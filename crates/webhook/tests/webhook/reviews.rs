//! Reviews over HTTPS, decided on by a script.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Running, Script, create, image, message, pod, review, write_certificate};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use touchmark_webhook::{Limits, Reloaded, Server, Workload};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_image_is_admitted_and_an_unsigned_one_is_not() {
    let server = Running::with(Script::default()).await;
    let answer = server.ask(&create(&pod(&[&image("signed")]))).await;
    assert_eq!(answer["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(answer["response"]["allowed"], true);
    let answer = server.ask(&create(&pod(&[&image("signed"), &image("unsigned")]))).await;
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["status"]["code"], 403);
    assert!(message(&answer).contains("found no signature by release"), "{answer}");
    assert!(!message(&answer).contains("acme/signed"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warning_admits_and_is_shown() {
    let server = Running::with(Script::default()).await;
    let answer = server.ask(&create(&pod(&[&image("warned")]))).await;
    assert_eq!(answer["response"]["allowed"], true);
    assert!(
        answer["response"]["warnings"][0].as_str().unwrap().contains("no signature, which will be needed")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_image_of_every_kind_is_decided_on() {
    let server = Running::with(Script::default()).await;
    let places = ["initContainers", "containers", "ephemeralContainers", "volumes"];
    for workload in Workload::ALL {
        for place in places {
            for (name, allowed) in [("signed", true), ("unsigned", false)] {
                let bad = if place == "volumes" {
                    json!({"name": "v", "image": {"reference": image(name)}})
                } else {
                    json!({"name": "c", "image": image(name)})
                };
                let mut spec = json!({"containers": [{"name": "main", "image": image("other")}]});
                match spec[place].as_array_mut() {
                    Some(list) => list.push(bad),
                    None => spec[place] = json!([bad]),
                }
                let answer = server.ask(&create(&workload_of(workload, &spec))).await;
                assert_eq!(answer["response"]["allowed"], allowed, "{workload:?} {place}: {answer}");
            }
        }
    }
}

fn workload_of(workload: Workload, spec: &Value) -> Value {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": spec});
    let group = workload.group();
    let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    let mut object = json!({"apiVersion": api_version, "kind": workload.name(), "metadata": {"name": "x"}});
    match workload {
        Workload::Pod => object["spec"] = spec.clone(),
        Workload::PodTemplate => object["template"] = template,
        Workload::CronJob => {
            object["spec"] = json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}});
        }
        _ => object["spec"] = json!({"template": template}),
    }
    object
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_a_pinned_image_of_a_registry_is_refused_unasked() {
    let script = Script::default();
    let server = Running::with(script.clone()).await;
    let local = format!("oci:signed@sha256:{}", crate::harness::HEX);
    for reference in ["registry.test/acme/signed:v1", "nginx", "", "UPPER", local.as_str()] {
        let answer = server.ask(&create(&pod(&[&image("signed"), reference]))).await;
        assert_eq!(answer["response"]["allowed"], false, "{reference}");
    }
    let answer = server.ask(&create(&pod(&["registry.test/acme/signed:v1"]))).await;
    assert!(message(&answer).contains("image must be pinned by digest"), "{answer}");
    assert_eq!(script.asked.lock().unwrap().keys().collect::<Vec<_>>(), ["acme/signed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_distinct_image_is_asked_about_once() {
    let script = Script::default();
    let server = Running::with(script.clone()).await;
    let (a, b) = (image("signed"), image("other"));
    assert_eq!(server.ask(&create(&pod(&[&a, &b, &a, &a]))).await["response"]["allowed"], true);
    assert!(script.asked.lock().unwrap().values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decided_is_denied_with_the_cause() {
    let server = Running::with(Script::default()).await;
    let answer = server.ask(&create(&pod(&[&image("burning")]))).await;
    assert_eq!(answer["response"]["allowed"], false);
    assert!(message(&answer).contains("could not decide: the registry is on fire"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_denial_and_the_next_request_is_served() {
    let server = Running::with(Script::default()).await;
    let answer = server.ask(&create(&pod(&[&image("panics"), &image("signed")]))).await;
    assert_eq!(answer["response"]["allowed"], false);
    assert!(message(&answer).contains("failed internally"), "{answer}");
    assert_eq!(server.ask(&create(&pod(&[&image("signed")]))).await["response"]["allowed"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_hangs_is_answered_for_in_time() {
    let server = Running::with(Script::default()).await;
    let begun = Instant::now();
    let body = create(&pod(&[&image("hangs"), &image("signed"), &image("unsigned")])).to_string();
    let (status, answer) = server.post("/validate?timeout=1s", body).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["response"]["allowed"]), (StatusCode::OK, &json!(false)));
    // The others are answered about all the same.
    assert!(
        message(&answer).contains("could not decide in time")
            && message(&answer).contains("found no signature")
    );
    assert!(server.metrics.text().contains(r#"images_total{outcome="late"} 1"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_with_the_same_images_is_admitted_unasked() {
    let script = Script::default();
    let server = Running::with(script.clone()).await;
    let (old, mut new) = (pod(&[&image("unsigned"), "nginx:1"]), pod(&["nginx:1", &image("unsigned")]));
    new["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(server.ask(&review("UPDATE", &new, &old)).await["response"]["allowed"], true);
    assert!(script.asked.lock().unwrap().is_empty());
    // Another image, or none to compare with: all of them are decided on.
    let changed = pod(&[&image("unsigned"), &image("signed")]);
    assert_eq!(server.ask(&review("UPDATE", &changed, &old)).await["response"]["allowed"], false);
    for no_old in [Value::Null, json!({"apiVersion": "v1", "kind": "Pod"})] {
        assert_eq!(
            server.ask(&review("UPDATE", &new, &no_old)).await["response"]["allowed"],
            false,
            "{no_old}"
        );
    }
    // What is made has nothing to be the same as.
    assert_eq!(server.ask(&review("CREATE", &new, &old)).await["response"]["allowed"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_admitted_and_other_operations_are_not() {
    let server = Running::with(Script::default()).await;
    let answer = server.ask(&review("DELETE", &Value::Null, &pod(&["nginx"]))).await;
    assert_eq!(answer["response"]["allowed"], true);
    assert_eq!(answer["response"]["auditAnnotations"]["outcome"], "exempt");
    let answer = server.ask(&review("CONNECT", &pod(&[&image("signed")]), &Value::Null)).await;
    assert!(message(&answer).contains("operation connect"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_whose_images_cannot_be_told_are_refused() {
    let server = Running::with(Script::default()).await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "aHVudGVyMg=="}});
    let answer = server.ask(&create(&secret)).await;
    assert!(message(&answer).contains("v1 Secret is not a kind"), "{answer}");
    assert!(!answer.to_string().contains("aHVudGVyMg"));
    for object in [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}),
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []}}),
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": {"image": image("signed")}}}),
        json!({"apiVersion": "apps/v1beta2", "kind": "Deployment", "spec": {}}),
    ] {
        assert_eq!(server.ask(&create(&object)).await["response"]["allowed"], false, "{object}");
    }
    let mut lying = create(&pod(&[&image("signed")]));
    lying["request"]["kind"] = json!({"group": "batch", "version": "v1", "kind": "Job"});
    assert_eq!(server.ask(&lying).await["response"]["allowed"], false);
    let mut empty = create(&pod(&[&image("signed")]));
    empty["request"]["object"] = Value::Null;
    let answer = server.ask(&empty).await;
    assert!(message(&answer).contains("has no object"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_images_are_refused() {
    let server = Running::with(Script::default()).await;
    let images: Vec<_> = (0..200).map(|index| image(&format!("i{index}"))).collect();
    let answer = server.ask(&create(&pod(&images.iter().map(String::as_str).collect::<Vec<_>>()))).await;
    assert!(message(&answer).contains("200 distinct images, the limit is 128"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_review_too_many_is_denied_with_that_reason() {
    let mut limits = Limits::default();
    limits.max_reviews = 1;
    let server = Arc::new(Running::start(limits).await);
    let script = Script::default();
    server.shared.decide_by(Arc::new(script.clone()));
    let first = Arc::clone(&server);
    let busy = tokio::spawn(async move {
        first.post("/validate?timeout=2s", create(&pod(&[&image("hangs")])).to_string()).await
    });
    while script.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let answer = server.ask(&create(&pod(&[&image("signed")]))).await;
    assert!(message(&answer).contains("1 reviews are being decided already"), "{answer}");
    assert_eq!(busy.await.unwrap().0, StatusCode::OK);
    assert_eq!(server.ask(&create(&pod(&[&image("signed")]))).await["response"]["allowed"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_no_reviews_get_an_http_error() {
    let server = Running::with(Script::default()).await;
    let beta = create(&pod(&[&image("signed")]))
        .to_string()
        .replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
    for body in ["", "{", "[]", r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#, &beta] {
        assert_eq!(server.post("/validate", body.to_owned()).await.0, StatusCode::BAD_REQUEST, "{body:.60}");
    }
    let large = vec![b' '; Limits::default().max_body_bytes + 1];
    assert_eq!(server.post("/validate", large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let review = create(&pod(&[&image("signed")])).to_string();
    let plain =
        server.client().post(server.url("/validate")).header("content-type", "text/plain").body(review);
    assert_eq!(plain.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(server.read("/validate").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(server.read("/other").await.0, StatusCode::NOT_FOUND);
    assert!(
        server.metrics.text().contains(r#"unanswerable_total{reason="malformed"} 5"#),
        "{}",
        server.metrics.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_policy_nothing_is_admitted_and_the_server_is_not_ready() {
    let server = Running::start(Limits::default()).await;
    assert_eq!(server.read("/livez").await.0, StatusCode::OK);
    assert_eq!(server.read("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let answer = server.ask(&create(&pod(&[&image("signed")]))).await;
    assert!(message(&answer).contains("no policy yet"), "{answer}");
    server.shared.decide_by(Arc::new(Script::default()));
    assert_eq!(server.read("/readyz").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_shown() {
    let server = Running::with(Script::default()).await;
    server.ask(&create(&pod(&[&image("unsigned")]))).await;
    let (status, text) = server.read("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        text.contains(r#"touchmark_webhook_reviews_total{outcome="denied",kind="Pod",operation="create"} 1"#),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_used_for_new_connections_and_a_bad_one_is_not() {
    let mut server = Running::with(Script::default()).await;
    let old = server.client();
    assert_eq!(server.certificates.look(false).await, Reloaded::Unchanged);
    // Half of a change: the key is not the certificate's yet.
    let key = std::fs::read(server.directory.path().join("tls.key")).unwrap();
    write_certificate(server.directory.path());
    let new_key = std::fs::read(server.directory.path().join("tls.key")).unwrap();
    std::fs::write(server.directory.path().join("tls.key"), key).unwrap();
    assert_eq!(server.certificates.look(false).await, Reloaded::Kept);
    assert_eq!(old.get(server.url("/livez")).send().await.unwrap().status(), StatusCode::OK);
    std::fs::write(server.directory.path().join("tls.key"), new_key).unwrap();
    assert_eq!(server.certificates.look(false).await, Reloaded::Applied);
    assert_eq!(server.read("/livez").await.0, StatusCode::OK);
    assert!(server.metrics.text().contains(r#"reloads_total{what="certificate",result="failed"} 1"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_changes_under_load_drop_no_request() {
    let mut server = Running::with(Script::default()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = Vec::new();
    for _ in 0..4 {
        // Each client trusts the first certificate only, so it has to live on one connection through all the changes.
        let (client, url, stopped) = (server.client(), server.url("/validate"), stopped.clone());
        client.get(server.url("/livez")).send().await.unwrap();
        let body = create(&pod(&[&image("signed")])).to_string();
        clients.push(tokio::spawn(async move {
            let mut answered = 0;
            while !*stopped.borrow() {
                let request = client.post(&url).header("content-type", "application/json");
                let answer = request.body(body.clone()).send().await.unwrap().text().await.unwrap();
                assert!(answer.contains(r#""allowed":true"#), "{answer}");
                answered += 1;
            }
            answered
        }));
    }
    for _ in 0..100 {
        write_certificate(server.directory.path());
        assert_eq!(server.certificates.look(false).await, Reloaded::Applied);
        server.shared.decide_by(Arc::new(Script::default()));
        // And each new certificate is served at once.
        assert_eq!(server.ask(&create(&pod(&[&image("signed")]))).await["response"]["allowed"], true);
    }
    stop.send(true).unwrap();
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_open_requests_are_answered() {
    let mut limits = Limits::default();
    limits.shutdown_delay = Duration::ZERO;
    let mut server = Running::start(limits).await;
    let script = Script::default();
    server.shared.decide_by(Arc::new(script.clone()));
    let (client, url) = (server.client(), server.url("/validate?timeout=1s"));
    let body = create(&pod(&[&image("hangs")])).to_string();
    let request = client.post(url).header("content-type", "application/json").body(body);
    let open = tokio::spawn(async move { request.send().await.unwrap().text().await.unwrap() });
    while script.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    server.end();
    assert!(open.await.unwrap().contains("could not decide in time"));
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_say_nothing_are_hung_up_on() {
    let mut limits = Limits::default();
    limits.header_timeout = Duration::from_millis(100);
    let server = Running::start(limits).await;
    let mut silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(silent.read_to_end(&mut rest).await.unwrap(), 0);
    let mut rude = tokio::net::TcpStream::connect(server.address).await.unwrap();
    rude.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    // An alert, perhaps, and the end.
    assert!(rude.read_to_end(&mut rest).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_too_many_is_turned_away_unread() {
    let mut limits = Limits::default();
    limits.max_requests = 1;
    let server = Running::start(limits).await;
    let script = Script::default();
    server.shared.decide_by(Arc::new(script.clone()));
    let body = create(&pod(&[&image("hangs")])).to_string();
    let request = server.client().post(server.url("/validate?timeout=1s")).body(body);
    let busy = tokio::spawn(request.header("content-type", "application/json").send());
    while script.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.post("/validate", "").await.0, StatusCode::SERVICE_UNAVAILABLE);
    // Health is not a review.
    assert_eq!(server.read("/livez").await.0, StatusCode::OK);
    assert_eq!(busy.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let server = Running::with(Script::default()).await;
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let (status, _) = server.post("/validate?timeout=400ms", reqwest::Body::wrap_stream(never)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plain_address_shows_metrics_and_takes_no_reviews() {
    let server = Running::with(Script::default()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(Server::metrics(Arc::clone(&server.shared), listener).serve(std::future::pending()));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(client.get(format!("{url}{path}")).send().await.unwrap().status(), StatusCode::OK);
    }
    let review = client.post(format!("{url}/validate")).send().await.unwrap();
    assert_eq!(review.status(), StatusCode::NOT_FOUND);
}
