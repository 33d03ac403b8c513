//! The program with one mistake, which `PRAETOR_FAULT` names: for tests of the tests, never to be deployed.

use faults::Fault;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stderr, reason = "a tool of developers; there is no log yet")]
fn main() -> ExitCode {
    if let Some(name) = std::env::var_os("PRAETOR_FAULT") {
        let Some(fault) = Fault::of(&name.to_string_lossy()) else {
            let known = Fault::ALL.map(Fault::name).join(", ");
            eprintln!("PRAETOR_FAULT: there is no fault {name:?}; there are {known}");
            return ExitCode::FAILURE;
        };
        faults::arm(fault);
    }
    let code = cli::run(
        std::env::args_os().collect(),
        cli::Env::from_process(),
        &mut cli::StdIo,
        &praetor::local::Program,
    );
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
