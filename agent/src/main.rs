//! The `praetor` binary. Under a link named `consul` it behaves the same.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let code = cli::run(
        std::env::args_os().collect(),
        cli::Env::from_process(),
        &mut cli::StdIo,
        &praetor::local::Program,
    );
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
