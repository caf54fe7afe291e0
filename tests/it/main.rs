//! The integration tests, in one binary: each file is a story, `support` holds what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod anyway;
mod attacks_headers;
mod attacks_messages;
mod attacks_paths;
mod attacks_sessions;
mod bearer;
#[cfg(feature = "peers")]
mod browser_login;
#[cfg(feature = "peers")]
mod browser_oidc;
#[cfg(feature = "peers")]
mod browser_outage;
#[cfg(feature = "peers")]
mod browser_pages;
#[cfg(feature = "peers")]
mod browser_session;
#[cfg(feature = "peers")]
mod canonical_oracle;
mod commands;
mod contract;
mod control;
mod demo;
mod dev_mode;
mod digest_rotation;
mod doctor;
mod doctor_federation;
mod encryption_oracle;
mod ending_tokens;
#[cfg(feature = "peers")]
mod examples;
mod feeds;
mod feeds_keys;
mod fetch;
mod forward_auth;
mod grpc;
mod hostile_cookies;
mod hostile_http2;
mod hostile_limits;
mod http2;
mod joining;
mod jose_practices;
mod jose_vectors;
mod key_rotation;
mod known_persons;
mod login;
mod metadata_vectors;
mod observed;
mod oidc_attacks;
mod oidc_confusion;
mod oidc_documents;
mod oidc_login;
mod oidc_profiles;
#[cfg(feature = "peers")]
mod oidc_replicas;
mod oidc_secrets;
mod outage;
mod overtaken;
#[cfg(feature = "peers")]
mod peer_alerts;
#[cfg(feature = "peers")]
mod peer_image;
#[cfg(feature = "peers")]
mod peer_kubernetes;
#[cfg(feature = "peers")]
mod peer_logout;
#[cfg(feature = "peers")]
mod peer_oidc;
#[cfg(feature = "peers")]
mod peer_prometheus;
#[cfg(feature = "peers")]
mod peer_proxies;
#[cfg(feature = "peers")]
mod peer_readme;
#[cfg(feature = "peers")]
mod peer_saml;
mod process;
mod proxy;
mod proxy_examples;
#[cfg(feature = "peers")]
mod redis;
mod reload;
#[cfg(feature = "peers")]
mod replica_health;
#[cfg(feature = "peers")]
mod replicas;
#[cfg(feature = "peers")]
mod replicas_logout;
#[cfg(feature = "peers")]
mod replicas_restart;
#[cfg(feature = "peers")]
mod rolling_restart;
mod saml_vectors;
#[cfg(feature = "peers")]
mod sent_documents;
mod shared_caches;
mod single_logout;
mod smuggling;
mod step_up;
mod streams;
mod support;
mod websocket;
mod withdrawn_keys;
mod xml_differential;
mod xml_vectors;
