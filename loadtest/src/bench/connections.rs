//! What open connections cost in memory.

use std::time::Duration;

use http::{Request, StatusCode};

use super::Bench;
use crate::Failed;
use crate::report::Better;
use crate::traffic::{Conn, Payload};

impl Bench {
    /// Opens `count` connections to the sidecar, has `request` answered once on each, and writes down what the sidecar's
    /// memory is while they are open.
    ///
    /// # Errors
    /// When one is not answered.
    pub async fn open_connections(&mut self, count: usize, request: &Request<Payload>) -> Result<(), Failed> {
        self.progress.phase(&format!("{count} open connections"), None);
        let process = self.world.sidecar.process();
        let before = process.memory().rss_kb;
        let mut open = Vec::with_capacity(count);
        for n in 0..count {
            let mut conn = Conn::new(self.world.public);
            let answer = conn.exchange(request.clone()).await;
            let answer = answer.map_err(|e| Failed::to(format!("connection {n} of {count}"), e))?;
            if answer.status != StatusCode::OK {
                return Err(Failed(format!("connection {n} of {count}: status {}", answer.status)));
            }
            open.push(conn);
            self.progress.step(n, count);
        }
        // Whatever is still being put away.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let with = process.memory().rss_kb;
        let name = format!("memory_{count}_connections");
        self.report.figure(&name, with as f64 / 1024.0, "MB", Better::Lower);
        let each = with.saturating_sub(before) as f64 / count.max(1) as f64;
        self.report.figure("memory_per_connection", each, "KB", Better::Lower);
        Ok(())
    }
}
