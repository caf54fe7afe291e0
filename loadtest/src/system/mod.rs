//! What the generator asks of the machine: cores, clocks, processes, files under `/proc`.

pub mod child;
pub mod cores;
pub mod machine;
pub mod pacer;
pub mod proc;
