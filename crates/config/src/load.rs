//! The machine outside: files, host name, interfaces. Everything else in this crate takes what this module reads.

use crate::{
    build::{Built, ConfigError, Disk, Env, PathKind, SourceText, Sources},
    flags::AgentFlags,
    sockaddr::IfAddr,
    text::Format,
};
use nix::{net::if_::InterfaceFlags, sys::socket::SockaddrStorage};
use std::{fs, io, net::IpAddr, path::Path};

/// Files larger than this are refused.
const FILE_SIZE_MAX: u64 = 32 << 20;

/// Why sources could not be read. `Display` is the outward text.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A `-config-format` that does not exist.
    #[error("config: -config-format must be either 'hcl' or 'json'")]
    Format,
    /// A named file with another suffix.
    #[error("file {0} has unknown extension; must be .hcl or .json, or config format must be set")]
    Extension(String),
    /// A path that cannot be opened.
    #[error("config: Open failed on {path}. {error}")]
    Open {
        /// The path.
        path: String,
        /// What happened.
        error: String,
    },
    /// A directory that cannot be listed.
    #[error("config: Readdir failed on {path}. {error}")]
    ReadDir {
        /// The path.
        path: String,
        /// What happened.
        error: String,
    },
    /// A file that cannot be read.
    #[error("config: failed to read {path}: {error}")]
    Read {
        /// The path.
        path: String,
        /// What happened.
        error: String,
    },
}

/// Why an agent's configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sources could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// They are refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Arguments that are no flags.
    #[error("Unexpected extra arguments: [{}]", .0.join(" "))]
    ExtraArguments(Vec<String>),
}

/// Loads the configuration of an agent: everything at once, at start and at each reload.
///
/// # Errors
/// [`Error`], whose text is for the operator.
pub fn load(flags: &AgentFlags) -> Result<Built, Error> {
    if !flags.extra.is_empty() {
        return Err(Error::ExtraArguments(flags.extra.clone()));
    }
    let sources = sources(flags.clone())?;
    Ok(crate::build::build(&sources, &env(std::env::var("CONSUL_INTRO_TOKEN").ok()))?)
}

/// The text of an I/O error, as it has always been shown.
fn reason(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => e.to_string(),
    }
}

/// Reads the files that the flags name.
///
/// # Errors
/// The first [`LoadError`].
pub fn sources(flags: AgentFlags) -> Result<Sources, LoadError> {
    let forced = flags.config_format.as_deref().map(format_of_name).transpose()?;
    let (files, warnings) = read_paths(&flags.config_paths, forced)?;
    Ok(Sources { files, flags, warnings })
}

/// The format that `-config-format` names.
///
/// # Errors
/// [`LoadError::Format`].
pub fn format_of_name(name: &str) -> Result<Format, LoadError> {
    match name {
        "hcl" => Ok(Format::Hcl),
        "json" => Ok(Format::Json),
        _ => Err(LoadError::Format),
    }
}

/// Texts of files and directories in order, and remarks about what was skipped.
///
/// # Errors
/// The first [`LoadError`].
pub fn read_paths(
    paths: &[String],
    forced: Option<Format>,
) -> Result<(Vec<SourceText>, Vec<String>), LoadError> {
    let (mut files, mut warnings) = (Vec::new(), Vec::new());
    for path in paths {
        let open = |e: &io::Error| LoadError::Open {
            path: path.clone(),
            error: format!("open {path}: {}", reason(e)),
        };
        let meta = fs::metadata(path).map_err(|e| open(&e))?;
        if meta.is_dir() {
            read_dir(path, forced, &mut files, &mut warnings)?;
        } else {
            fs::File::open(path).map_err(|e| open(&e))?;
            let format = forced.or_else(|| format_of_path(path));
            files.push(read_file(path, format.ok_or_else(|| LoadError::Extension(path.clone()))?)?);
        }
    }
    Ok((files, warnings))
}

fn format_of_path(path: &str) -> Option<Format> {
    match path.rsplit_once('.') {
        Some((_, "hcl")) => Some(Format::Hcl),
        Some((_, "json")) => Some(Format::Json),
        _ => None,
    }
}

fn read_dir(
    dir: &str,
    forced: Option<Format>,
    files: &mut Vec<SourceText>,
    warnings: &mut Vec<String>,
) -> Result<(), LoadError> {
    let fail = |e: io::Error| LoadError::ReadDir { path: dir.to_owned(), error: reason(&e) };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        names.push(entry.map_err(fail)?.file_name());
    }
    names.sort_unstable();
    for name in names {
        let path = Path::new(dir).join(&name);
        let shown = path.display().to_string();
        // A link counts as what it points to, its name included.
        let (target, meta) = match fs::canonicalize(&path).and_then(|t| fs::metadata(&t).map(|m| (t, m))) {
            Ok(found) => found,
            Err(e) => {
                let error = format!("open {shown}: {}", reason(&e));
                return Err(LoadError::Open { path: shown, error });
            }
        };
        if meta.is_dir() {
            continue;
        }
        let is_link = fs::symlink_metadata(&path).is_ok_and(|m| m.file_type().is_symlink());
        let suffix_of = if is_link { target.display().to_string() } else { shown.clone() };
        match forced.or_else(|| format_of_path(&suffix_of)) {
            Some(format) => files.push(read_file(&shown, format)?),
            None => warnings.push(format!(
                "skipping file {shown}, extension must be .hcl or .json, or config format must be set"
            )),
        }
    }
    Ok(())
}

fn read_file(path: &str, format: Format) -> Result<SourceText, LoadError> {
    let fail = |error: String| LoadError::Read { path: path.to_owned(), error };
    let size = fs::metadata(path).map_err(|e| fail(reason(&e)))?.len();
    if size > FILE_SIZE_MAX {
        return Err(fail(format!("the file has {size} bytes, the limit is {FILE_SIZE_MAX}")));
    }
    let bytes = fs::read(path).map_err(|e| fail(reason(&e)))?;
    let text = String::from_utf8(bytes).map_err(|e| fail(format!("not valid UTF-8: {e}")))?;
    Ok(SourceText { name: path.to_owned(), text, format })
}

/// The real file system.
pub struct RealDisk;

impl Disk for RealDisk {
    fn kind(&self, path: &Path) -> PathKind {
        match fs::metadata(path) {
            Ok(m) if m.is_dir() => PathKind::Directory,
            Ok(_) => PathKind::Other,
            Err(e) if e.kind() == io::ErrorKind::NotFound => PathKind::Missing,
            Err(e) => PathKind::Error(reason(&e)),
        }
    }
}

/// What this machine says of itself; the environment variable comes from the caller.
pub fn env(intro_token: Option<String>) -> Env<'static> {
    let open_files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    Env { host_name: host_name(), interfaces: interfaces(), intro_token, open_files, disk: &RealDisk }
}

/// Host name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Addresses of this host; none if they cannot be read.
pub fn interfaces() -> Vec<IfAddr> {
    let default_route = default_route_interfaces();
    let Ok(list) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    list.filter_map(|i| {
        let ip = ip_of(i.address.as_ref()?)?;
        let ones = match i.netmask.as_ref().and_then(ip_of) {
            Some(IpAddr::V4(m)) => u32::from(m).count_ones(),
            Some(IpAddr::V6(m)) => u128::from(m).count_ones(),
            None => {
                if ip.is_ipv4() {
                    32
                } else {
                    128
                }
            }
        };
        Some(IfAddr {
            ip,
            bits: u8::try_from(ones).unwrap_or(128),
            up: i.flags.contains(InterfaceFlags::IFF_UP),
            broadcast: i.flags.contains(InterfaceFlags::IFF_BROADCAST),
            loopback: i.flags.contains(InterfaceFlags::IFF_LOOPBACK),
            point_to_point: i.flags.contains(InterfaceFlags::IFF_POINTOPOINT),
            multicast: i.flags.contains(InterfaceFlags::IFF_MULTICAST),
            default_route: default_route.contains(&i.interface_name),
            name: i.interface_name,
        })
    })
    .collect()
}

fn ip_of(a: &SockaddrStorage) -> Option<IpAddr> {
    match (a.as_sockaddr_in(), a.as_sockaddr_in6()) {
        (Some(v4), _) => Some(v4.ip().into()),
        (_, Some(v6)) => Some(v6.ip().into()),
        _ => None,
    }
}

/// Interfaces that hold a default route (Linux).
fn default_route_interfaces() -> Vec<String> {
    let v4 = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let mut out = Vec::new();
    for line in v4.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [name, "00000000", _, _, _, _, _, "00000000", ..] = fields.as_slice() {
            out.push((*name).to_owned());
        }
    }
    for line in v6.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Destination, prefix length, …, interface; the loopback entry stands for "no route".
        if let [zero, "00", .., name] = fields.as_slice()
            && zero.bytes().all(|b| b == b'0')
            && *name != "lo"
        {
            out.push((*name).to_owned());
        }
    }
    out
}
