extension BaseBackup {
    /// How many connections the base data comes over.
    public struct Connections: Sendable, Equatable, Codable {
        /// How many copy at most.
        let count: Int
        /// How many copy from the start on.
        let first: Int
        /// Whether they are ordinary connections.
        let isParallel: Bool
        /// Whether the number is chosen while they copy, and one connection does where several cannot.
        let isAutomatic: Bool

        private init(_ count: Int, first: Int? = nil, isParallel: Bool = true, isAutomatic: Bool = false) {
            self.count = count
            self.first = first ?? count
            self.isParallel = isParallel
            self.isAutomatic = isAutomatic
        }

        /// The replication connection: BASE_BACKUP.
        public static let one = Connections(1, isParallel: false)

        /// As many ordinary connections as are of use: 4 at first, more while each step brings more bytes in the same time
        /// and ``Options/maxRate`` is not reached, 16 at most, and never more than half of those that the server has free.
        ///
        /// Where ordinary connections cannot be used (see ``parallel(_:)``), or not with the other options, the backup comes
        /// over the replication connection, and a notice says why.
        public static let automatic = Connections(16, first: 4, isAutomatic: true)

        /// So many ordinary connections beside the one that holds the backup; fewer where the server has no more.
        ///
        /// Files are read with SQL functions (servers from 9.6), which before 11 only a superuser may call. From 11 a role
        /// needs EXECUTE on `pg_backup_start` and `pg_backup_stop` (before 15 `pg_start_backup` and `pg_stop_backup`),
        /// `pg_ls_dir(text, boolean, boolean)`, `pg_stat_file(text, boolean)` and
        /// `pg_read_binary_file(text, bigint, bigint, boolean)`, and may log in to a database.
        ///
        /// - Parameter count: From 1 to 64.
        public static func parallel(_ count: Int) -> Connections {
            Connections(count)
        }
    }
}
