//! What `make demo` shows, end to end: the program from its configuration file, its providers on other sites.

use std::path::Path;
use std::time::Duration;

use grindvakt_demo::sidecar::Sidecar;
use grindvakt_demo::stage::Stage;

#[tokio::test]
async fn the_demo_walks_through_its_logins_on_several_sites() {
    let stage = Stage::set_up(0).await.unwrap();
    let _sidecar = Sidecar::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), &stage.config(), true).unwrap();
    stage.introduce(Duration::from_secs(20)).await.unwrap();
    let mut steps = 0;
    grindvakt_demo::check::run(&stage, |_| steps += 1).await.unwrap();
    assert!(steps >= 10, "{steps} steps");
}
