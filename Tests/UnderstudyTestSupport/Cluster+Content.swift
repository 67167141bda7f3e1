import Foundation

extension Cluster {
    /// Makes `count` tables of one row each, some thousand in a transaction, so that the lock table holds them.
    package func makeSmallTables(_ count: Int) throws {
        try sql(
            """
            CREATE SCHEMA small;
            DO $$ BEGIN
                FOR i IN 1..\(count) LOOP
                    EXECUTE format('CREATE TABLE small.t%s AS SELECT %s AS n', i, i);
                    IF i % 1000 = 0 THEN COMMIT; END IF;
                END LOOP;
            END $$;
            """)
    }

    /// Makes a table that is not in the WAL: of it, a backup holds the init fork alone.
    ///
    /// - Returns: The path of its main fork beneath the data directory.
    @discardableResult
    package func makeUnloggedTable(_ name: String) throws -> String {
        try sql("CREATE UNLOGGED TABLE \(name) AS SELECT i FROM generate_series(1, 1000) i; CHECKPOINT")
        return try sql("SELECT pg_relation_filepath('\(name)')")
    }

    /// Makes a tablespace with a table in it.
    ///
    /// - Returns: Its directory.
    package func makeTablespace(_ name: String) throws -> String {
        let path = try TestDirectory.make("tablespace")
        try sql("CREATE TABLESPACE \(name) LOCATION '\(path)'")
        try sql("CREATE TABLE in_\(name) TABLESPACE \(name) AS SELECT i, md5(i::text) FROM generate_series(1, 20000) i")
        return path
    }

    /// Makes a role that may replicate and nothing else.
    package func makeReplicationRole(_ name: String, password: String? = nil) throws {
        let password = password.map { "PASSWORD '\($0.replacing("'", with: "''"))'" } ?? ""
        try sql("CREATE ROLE \(name) LOGIN REPLICATION \(password)")
    }

    /// The slots that exist, sorted by name.
    package func slots() throws -> [String] {
        try sql("SELECT slot_name FROM pg_replication_slots ORDER BY 1").split(separator: "\n").map(String.init)
    }

    /// Puts a file that PostgreSQL knows nothing of into the data directory.
    package func makeForeignFile(_ name: String, _ content: String) throws {
        try TestDirectory.write(content, to: "\(directory)/\(name)")
    }
}

extension Cluster {
    /// One digest for each table that is in the WAL, of all databases: of its rows as text, in order.
    package func digests() throws -> [String: String] {
        var digests: [String: String] = [:]
        let databases = try sql("SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1")
        for database in databases.split(separator: "\n").map(String.init) {
            for row in try sql(Self.digestQuery, database: database).split(separator: "\n") {
                let words = row.split(separator: " ", maxSplits: 1)
                digests["\(database): \(words[1])"] = String(words[0])
            }
        }
        return digests
    }

    /// The tables whose rows differ between this cluster and another, or that only one of them has.
    package func differences(from other: Cluster) throws -> [String] {
        let (mine, theirs) = (try digests(), try other.digests())
        return Set(mine.keys).union(theirs.keys).filter { mine[$0] != theirs[$0] }.sorted()
    }

    /// A standby runs no function that it would have to be given first, but a DO block it does. What vacuum and analyze
    /// note in the catalogs is left out: a copy that is no standby does not get it.
    private static let digestQuery = """
        DO $$ DECLARE name text; content text; digest text; found text[];
        BEGIN
            FOR name, content IN SELECT oid::regclass, CASE WHEN oid >= 16384 THEN 'r::text' ELSE
                        '(to_jsonb(r) - ''{relpages, reltuples, relallvisible, relallfrozen, relfrozenxid, relminmxid,'
                        || ' datfrozenxid, datminmxid}''::text[])::text' END
                    FROM pg_class WHERE relkind IN ('r', 'm') AND relpersistence = 'p'
                    AND (oid >= 16384 OR relname IN ('pg_class', 'pg_authid', 'pg_database'))
            LOOP
                EXECUTE format('SELECT md5(coalesce(string_agg(%1$s, E''\\n'' ORDER BY %1$s), '''')) FROM %2$s r', content, name)
                    INTO digest;
                found := found || (digest || ' ' || name);
            END LOOP;
            PERFORM set_config('understudy.digests', array_to_string(found, E'\\n'), false);
        END $$;
        SELECT current_setting('understudy.digests');
        """
}
