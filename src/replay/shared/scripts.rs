//! What runs on the server as one step, and the names that it is filed under.
//!
//! Every key of a service holds `{service}`: in a cluster they share a slot, so that a script may touch several of them,
//! and one node is all that a sidecar needs to know. A login is one script of some twenty microseconds: spreading a service
//! over nodes would gain nothing.

use std::time::Duration;

use redis::Cmd;

use super::notes::Topic;
use super::settings::Settings;
use crate::base::UnixTime;
use crate::replay::{Claim, Ended, Instance, Mark, ReplayKey, SessionId};

/// What a line is bound to beside its own bits: `id`, which server this is, and `gone`, how many keys it has thrown away for
/// want of memory. How many those were when the line began is a key of its own, the last one of each script: the line itself
/// has the form that earlier versions read.
macro_rules! server {
    () => {
        "local id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local gone = string.match(redis.call('INFO', 'stats'), 'evicted_keys:(%d+)') or ''
local line = redis.call('GET', KEYS[1])
"
    };
}

/// What ends a script that was begun under another line, or under one that does not hold any more.
macro_rules! same_line {
    () => {
        "if not line or string.sub(line, 41, 56) ~= ARGV[1] or string.sub(line, 1, 40) ~= id
  or redis.call('GET', KEYS[#KEYS]) ~= gone then "
    };
}

/// KEYS: line, evicted. ARGV: 16 random bytes, the instance of a line that must not go on. Returns `run id ‖ instance ‖ since`.
///
/// A primary is known by its run id, which every start of a server and every take-over changes. Where the line is not
/// this server's, its memory may lack the last uses of another one, or all of them: a new line begins. So it does where the
/// server has thrown keys away since, as one does whose `maxmemory-policy` was another for a while: uses may be among them.
/// A line that an earlier version began goes on where the server has never thrown anything away.
const LINE: &str = concat!(
    server!(),
    "if not id or #id ~= 40 then return redis.error_reply('ERR it tells no run_id, so a take-over could not be noticed') end
local had = redis.call('GET', KEYS[2])
local holds = had == gone or (not had and (gone == '0' or gone == ''))
if line and string.sub(line, 1, 40) == id and string.sub(line, 41, 56) ~= ARGV[2] and holds then
  if not had then redis.call('SET', KEYS[2], gone) end
  return line
end
local t = redis.call('TIME')
line = id .. ARGV[1] .. string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('SET', KEYS[1], line)
redis.call('SET', KEYS[2], gone)
return line"
);

/// KEYS: line, what is used, evicted. ARGV: instance, now, until, life in the store. Returns {n, instant}: n is 0 for a first use,
/// -1 under another line, else the place of the first key that was used before.
///
/// The server that runs this must be the line's own: what lies between may have led elsewhere since we connected. And it must
/// have thrown nothing away under this line.
/// A use counts for the asker as long as its own clock has not passed `until`; its life in the store is longer by what
/// clocks may differ.
const CONSUME: &str = concat!(
    server!(),
    same_line!(),
    "return {-1, 0} end
for i = 2, #KEYS - 1 do
  local till = redis.call('GET', KEYS[i])
  if till and tonumber(till) >= tonumber(ARGV[2]) then return {i - 1, 0} end
end
for i = 2, #KEYS - 1 do redis.call('SET', KEYS[i], ARGV[3], 'PX', ARGV[4]) end
local t = redis.call('TIME')
return {0, t[1] * 1000 + math.floor(t[2] / 1000)}"
);

/// KEYS: line, what must not be used, what is claimed, evicted. ARGV: instance, now, how many must not be used, the claim, its life.
/// Returns n: 0 for a yes, -1 under another line, else the place of the first key that was used or is claimed.
///
/// A claim is in force as long as the store says, by its own clock and no longer: a made-up one must not stay.
const CLAIM: &str = concat!(
    server!(),
    same_line!(),
    "return -1 end
local looked = 1 + tonumber(ARGV[3])
for i = 2, looked do
  local till = redis.call('GET', KEYS[i])
  if till and tonumber(till) >= tonumber(ARGV[2]) then return i - 1 end
end
for i = looked + 1, #KEYS - 1 do
  if redis.call('GET', KEYS[i]) then return i - 1 end
end
for i = looked + 1, #KEYS - 1 do redis.call('SET', KEYS[i], ARGV[4], 'PX', ARGV[5]) end
return 0"
);

/// KEYS: what is claimed. ARGV: the claim. A later claim of the same is left alone.
const RELEASE: &str = "\
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
return 0";

/// KEYS: the stream of orders, then what sessions that end had here. ARGV: channel, how long orders are kept, the orders.
const END: &str = "\
local t = redis.call('TIME')
local oldest = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[2])
for i = 3, #ARGV do redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*', 'e', ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
redis.call('PUBLISH', ARGV[1], '')
return 0";

/// KEYS: a stream of notes. ARGV: channel, how long the stream is kept, the most notes in it, the note.
const TELL: &str = "\
redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[3], '*', 'n', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[1], '')
return 0";

/// How far the clocks of replicas may be apart: as far as those of providers may be at the most.
pub(in crate::replay) const CLOCKS_APART: Duration = Duration::from_secs(5 * 60);
const CLOCKS_APART_MS: i64 = CLOCKS_APART.as_millis() as i64;

/// Orders are kept at least so long, whatever the lifetime of this replica's sessions: another's may be longer.
const ORDERS_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Notes kept in one stream: the oldest go first. What counts is given again by whoever knows it.
const NOTES_KEPT: usize = 1000;

/// Orders, or notes, read in one answer.
pub(super) const PAGE: usize = 1000;

/// The names of one service's keys.
pub(super) struct Names {
    prefix: String,
    orders_kept_ms: i64,
}

impl Names {
    pub(super) fn new(settings: &Settings) -> Self {
        let lifetime = i64::try_from(settings.lifetime.as_millis()).unwrap_or(i64::MAX / 4);
        Self {
            prefix: format!("grindvakt:{{{}}}:", settings.service),
            orders_kept_ms: lifetime.max(ORDERS_KEPT_MS) + CLOCKS_APART_MS,
        }
    }

    fn key(&self, kind: &str, id: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), kind.as_bytes(), id].concat()
    }

    pub(super) fn line(&self) -> Vec<u8> {
        self.key("line", b"")
    }

    fn evicted(&self) -> Vec<u8> {
        self.key("line-evicted", b"")
    }

    fn ended(&self) -> Vec<u8> {
        self.key("ended", b"")
    }

    pub(super) fn channel(&self) -> Vec<u8> {
        self.key("wake", b"")
    }

    fn session(&self, id: SessionId) -> Vec<u8> {
        self.key("s:", id.bytes())
    }

    /// The line as it stands, without beginning one, and how many keys the server had thrown away when it began.
    pub(super) fn line_there(&self) -> [Cmd; 2] {
        [self.line(), self.evicted()].map(|name| {
            let mut command = redis::cmd("GET");
            command.arg(name);
            command
        })
    }

    /// The line as it stands, or a new one: `fresh`, also where the one that stands is `spoiled`.
    pub(super) fn take_line(&self, fresh: &Instance, spoiled: Option<&Instance>) -> Cmd {
        let spoiled = spoiled.map_or(&[][..], |instance| &instance.bytes()[..]);
        script(LINE, &[self.line(), self.evicted()]).arg(&fresh.bytes()[..]).arg(spoiled).take()
    }

    pub(super) fn consume(&self, keys: &[ReplayKey], instance: &Instance, until: UnixTime, now: UnixTime) -> Cmd {
        let mut names = vec![self.line()];
        names.extend(keys.iter().map(|key| self.key("u:", key.digest())));
        names.push(self.evicted());
        let life = (until.as_millis() - now.as_millis()).max(0) + CLOCKS_APART_MS;
        let mut command = script(CONSUME, &names);
        command.arg(&instance.bytes()[..]).arg(now.as_millis()).arg(until.as_millis()).arg(life);
        command
    }

    pub(super) fn claim(
        &self,
        claim: &Claim,
        unless: &[ReplayKey],
        instance: &Instance,
        life: Duration,
        now: UnixTime,
    ) -> Cmd {
        let mut names = vec![self.line()];
        names.extend(unless.iter().map(|key| self.key("u:", key.digest())));
        names.extend(claim.keys.iter().map(|key| self.key("c:", key.digest())));
        names.push(self.evicted());
        let life = i64::try_from(life.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut command = script(CLAIM, &names);
        command.arg(&instance.bytes()[..]).arg(now.as_millis()).arg(unless.len());
        command.arg(claim.until.as_millis()).arg(life);
        command
    }

    pub(super) fn release(&self, claim: &Claim) -> Cmd {
        let names: Vec<_> = claim.keys.iter().map(|key| self.key("c:", key.digest())).collect();
        let mut command = script(RELEASE, &names);
        command.arg(claim.until.as_millis());
        command
    }

    pub(super) fn end(&self, orders: &[Ended]) -> Cmd {
        let mut names = vec![self.ended()];
        names.extend(orders.iter().filter_map(|order| match order.mark {
            Mark::Session(id) => Some(self.session(id)),
            Mark::AtProvider(_) | Mark::LoginAtProvider(_) => None,
        }));
        let mut command = script(END, &names);
        command.arg(self.channel()).arg(self.orders_kept_ms);
        for order in orders {
            command.arg(&order.to_bytes()[..]);
        }
        command
    }

    /// Orders after the one with the id `last`.
    pub(super) fn orders_after(&self, last: &str) -> Cmd {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.ended()).arg(format!("({last}")).arg("+").arg("COUNT").arg(PAGE);
        command
    }

    fn notes(&self, topic: Topic) -> Vec<u8> {
        self.key("n:", topic.name().as_bytes())
    }

    pub(super) fn tell(&self, topic: Topic, note: &[u8]) -> Cmd {
        let mut command = script(TELL, &[self.notes(topic)]);
        let life = i64::try_from(topic.kept().as_millis()).unwrap_or(i64::MAX / 4) + CLOCKS_APART_MS;
        command.arg(self.channel()).arg(life).arg(NOTES_KEPT).arg(note);
        command
    }

    /// Notes from the one with the id `last` on, and with it; without one from the first.
    pub(super) fn notes_from(&self, topic: Topic, last: Option<&str>) -> Cmd {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.notes(topic)).arg(last.unwrap_or("-")).arg("+").arg("COUNT").arg(PAGE);
        command
    }

    pub(super) fn keep(&self, id: SessionId, sealed: &[u8], life_ms: i64) -> Cmd {
        let mut command = redis::cmd("SET");
        command.arg(self.session(id)).arg(sealed).arg("PX").arg(life_ms.max(1));
        command
    }

    pub(super) fn fetch(&self, id: SessionId) -> Cmd {
        let mut command = redis::cmd("GET");
        command.arg(self.session(id));
        command
    }
}

fn script(text: &str, keys: &[Vec<u8>]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(keys.len());
    for key in keys {
        command.arg(key.as_slice());
    }
    command
}
