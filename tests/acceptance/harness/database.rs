//! Real database servers beside the cluster: PostgreSQL and MariaDB from their Debian packages, NATS as a Go module. They
//! listen on the address of this machine that the cluster sees.

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::cluster::{Cluster, run, text};
use super::left_out;

/// The administrator that each server has.
pub const ADMIN: &str = "kamaji";

/// A running server. It ends with its drop.
pub struct Database {
    /// Its kind, as Kamaji names it.
    pub driver: &'static str,
    /// `address:port`
    pub endpoint: String,
    /// The CA that signed the server's certificate, and what a client shows; [`None`] without TLS.
    pub tls: Option<Certificates>,
    process: Child,
    dir: TempDir,
}

/// A CA certificate, and a certificate and key that it signed, PEM.
#[derive(Clone)]
pub struct Certificates {
    pub ca: String,
    pub ca_key: String,
    pub certificate: String,
    pub key: String,
}

impl Certificates {
    /// For a name or address.
    pub fn of(name: &str) -> Self {
        let key = || KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::<String>::new()).expect("valid");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, format!("CA for {name}"));
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("signed");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("valid");
        params.distinguished_name.push(DnType::CommonName, name);
        let own = key();
        let certificate = params.signed_by(&own, &authority).expect("signed");
        Self {
            ca: pem("CERTIFICATE", authority.der()),
            ca_key: pem("PRIVATE KEY", &authority.key().serialize_der()),
            certificate: pem("CERTIFICATE", certificate.der()),
            key: pem("PRIVATE KEY", &own.serialize_der()),
        }
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// A program of a Debian package; [`None`], and a word about it, if it is not installed.
fn program(package: &str, pattern: &[&str]) -> Option<PathBuf> {
    let found = pattern.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        left_out(&format!("since the Debian package {package} is not installed"));
    }
    found
}

impl Database {
    /// A PostgreSQL with TLS, the administrator a superuser with this password.
    pub fn postgresql(cluster: &Cluster, password: &str) -> Option<Self> {
        let folders = (13..20).rev().map(|version| format!("/usr/lib/postgresql/{version}/bin"));
        let folder = folders.into_iter().find(|folder| Path::new(folder).exists()).unwrap_or_default();
        let initdb = program("postgresql", &[&format!("{folder}/initdb")])?;
        let (address, port) = free_address(cluster);
        let dir = directory("postgres");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("password"), password).expect("written");
        own(&path("password"), "postgres");
        let as_postgres = |program: &Path| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            command
        };
        run(as_postgres(&initdb)
            .args(["--no-sync", "--no-instructions", "-A", "scram-sha-256", "-U", ADMIN])
            .arg(format!("--pwfile={}", path("password").display()))
            .arg(path("data")));
        std::fs::write(path("data/pg_hba.conf"), "host all all all scram-sha-256\n").expect("written");
        let tls = tls(&dir, &address, "postgres");
        let mut server = as_postgres(&Path::new(&folder).join("postgres"));
        server.arg("-D").arg(path("data"));
        for setting in [
            format!("listen_addresses={address}"),
            format!("port={port}"),
            format!("unix_socket_directories={}", dir.path().display()),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", path("server.crt").display()),
            format!("ssl_key_file={}", path("server.key").display()),
            format!("ssl_ca_file={}", path("ca.crt").display()),
        ] {
            server.arg("-c").arg(setting);
        }
        Some(Self::start("PostgreSQL", server, dir, &address, port, Some(tls)))
    }

    /// A MariaDB with TLS, the administrator allowed everything with this password.
    pub fn mariadb(cluster: &Cluster, password: &str) -> Option<Self> {
        let server = program("mariadb-server", &["/usr/sbin/mariadbd"])?;
        let (address, port) = free_address(cluster);
        let dir = directory("mysql");
        let path = |name: &str| dir.path().join(name);
        // A directory of its own for temporary tables: a server that starts removes those that lie there, another server's too.
        run(Command::new("mariadb-install-db")
            .args(["--no-defaults", "--user=mysql", "--skip-test-db", "--auth-root-authentication-method=socket"])
            .arg(format!("--datadir={}", path("data").display()))
            .env("TMPDIR", dir.path()));
        let tls = tls(&dir, &address, "mysql");
        let init = format!(
            "CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{password}';\nGRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT \
             OPTION;\n"
        );
        std::fs::write(path("init.sql"), init).expect("written");
        own(&path("init.sql"), "mysql");
        let mut command = Command::new(server);
        command.env("TMPDIR", dir.path());
        command.args([
            "--no-defaults",
            "--user=mysql",
            &format!("--bind-address={address}"),
            &format!("--port={port}"),
        ]);
        for (option, file) in [
            ("datadir", "data"),
            ("socket", "socket"),
            ("pid-file", "pid"),
            ("init-file", "init.sql"),
            ("ssl-cert", "server.crt"),
            ("ssl-key", "server.key"),
            ("ssl-ca", "ca.crt"),
        ] {
            command.arg(format!("--{option}={}", path(file).display()));
        }
        Some(Self::start("MySQL", command, dir, &address, port, Some(tls)))
    }

    /// A NATS server with JetStream, without TLS.
    pub fn nats(cluster: &Cluster, password: &str) -> Self {
        let programs = text(&run(Command::new(cluster.program()).arg("databases")));
        let (address, port) = free_address(cluster);
        let dir = directory("root");
        let mut command = Command::new(Path::new(programs.trim()).join("nats-server"));
        command.args(["-a", &address, "-p", &port.to_string(), "--user", ADMIN, "--pass", password, "-js"]);
        command.arg("-sd").arg(dir.path());
        Self::start("NATS", command, dir, &address, port, None)
    }

    fn start(
        driver: &'static str,
        mut command: Command,
        dir: TempDir,
        address: &str,
        port: u16,
        tls: Option<Certificates>,
    ) -> Self {
        let log = std::fs::File::create(dir.path().join("log")).expect("a log");
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let endpoint = format!("{address}:{port}");
        let database = Self { driver, endpoint, tls, process, dir };
        let open = || std::net::TcpStream::connect(&database.endpoint).ok();
        let started = std::time::Instant::now();
        while open().is_none() {
            assert!(started.elapsed() < Duration::from_secs(60), "{driver} does not start:\n{}", database.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        database
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Gives the administrator another password.
    pub fn change_password(&self, old: &str, new: &str) {
        match self.driver {
            "PostgreSQL" => {
                self.psql(old, &format!("ALTER ROLE {ADMIN} PASSWORD '{new}'")).expect("changed");
            }
            "MySQL" => {
                let mut client = Command::new("mariadb");
                client.arg(format!("--socket={}", self.dir.path().join("socket").display()));
                run(client.args(["-e", &format!("ALTER USER '{ADMIN}'@'%' IDENTIFIED BY '{new}'")]));
            }
            other => panic!("{other}: the password is on the command line"),
        }
    }

    /// Runs a statement as the administrator of a PostgreSQL, or returns why not.
    pub fn psql(&self, password: &str, statement: &str) -> Result<String, String> {
        let (host, port) = self.endpoint.rsplit_once(':').expect("host:port");
        let mut client = Command::new("psql");
        client
            .env("PGPASSWORD", password)
            .args(["-h", host, "-p", port, "-U", ADMIN, "-d", "postgres", "-tAc", statement]);
        let output = client.output().expect("psql");
        if output.status.success() {
            Ok(text(&output))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SIGINT ends each of them in good order.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let ended = wait_quietly(&mut self.process);
        if !ended {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

fn wait_quietly(process: &mut Child) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        process.try_wait().is_ok_and(|status| status.is_some())
    })
}

/// A directory of a user of the system.
fn directory(user: &str) -> TempDir {
    let dir = TempDir::with_prefix("kamaji-database-").expect("a temporary directory");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("permitted");
    own(dir.path(), user);
    dir
}

fn own(path: &Path, user: &str) {
    run(Command::new("chown").arg(user).arg(path));
}

/// Puts the certificate and key of a server into its directory, and the CA whose clients it takes.
fn tls(dir: &TempDir, address: &str, user: &str) -> Certificates {
    let made = Certificates::of(address);
    for (name, text) in [("server.crt", &made.certificate), ("server.key", &made.key), ("ca.crt", &made.ca)] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("permitted");
        own(&path, user);
    }
    made
}

/// The address of this machine that the cluster sees, and a free port there.
fn free_address(cluster: &Cluster) -> (String, u16) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect((cluster.node_address(), 53)).expect("a route");
    let address: IpAddr = socket.local_addr().expect("an address").ip();
    let listener = TcpListener::bind((address, 0)).expect("a port");
    (address.to_string(), listener.local_addr().expect("an address").port())
}
