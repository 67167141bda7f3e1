/// The options that stock tools and ours have in common.
enum CommonOptions {
    static let help = CommandOption("help", "?", stock: .all, help: "show this help, then exit")
    static let version = CommandOption("version", "V", stock: .all, help: "show the version, then exit")
    static let verbose = CommandOption("verbose", "v", stock: .all, help: "show each step")
    static let dbname = CommandOption("dbname", "d", "CONNSTR", stock: .all, help: "a connection string or URI")
    static let host = CommandOption(
        "host", "h", "HOSTNAME", stock: .all, help: "the host, or the directory of its socket")
    static let port = CommandOption("port", "p", "PORT", stock: .all, help: "the port")
    static let username = CommandOption("username", "U", "NAME", stock: .all, help: "the role, which needs REPLICATION")
    static let noPassword = CommandOption("no-password", "w", stock: .all, help: "never ask for a password")
    static let password = CommandOption("password", "W", stock: .all, help: "ask for a password before connecting")
    static let jobs = CommandOption(
        "jobs", "j", "NUMBER", isLinked: false,
        help: """
            copy over so many ordinary connections, from 1 to 64,
            beside those for replication, by SQL functions
            (servers from 9.6); "auto" for as many as help, or
            one where several cannot be used
            """, suggestions: ["auto"])
    static let maxRate = CommandOption(
        "max-rate", "r", "RATE", stock: .since(90400),
        help: """
            most kB per second that the server sends, or with a
            suffix k or M: from 32k to 1024M
            """)
}

extension OptionValues {
    /// `-w` and `-W`: the later one counts.
    var passwordPolicy: PasswordPolicy {
        switch last(of: CommonOptions.noPassword, CommonOptions.password)?.name {
        case CommonOptions.noPassword.name: .never
        case CommonOptions.password.name: .always
        default: .onDemand
        }
    }

    /// The server that `-d`, `-h`, `-p` and `-U` name.
    func connection(program: String) -> ConnectionRequest {
        ConnectionRequest(
            source: self[CommonOptions.dbname], host: self[CommonOptions.host], port: self[CommonOptions.port],
            user: self[CommonOptions.username], password: passwordPolicy, program: program)
    }
}
