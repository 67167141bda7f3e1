/// Command lines of pg_basebackup, each run by the stock tool and by ours.
///
/// A line that begins with `@15` or `@17` has an option or a word that the stock tool of an earlier version lacks. In
/// braces: `{PWD}`, the directory in which it runs (`empty`, `nonempty` and `file` are there); `{MANIFEST}`, that of an
/// earlier backup; `{N}`, a number of its own.
enum ArgumentSets {
    /// End before a connection is made.
    static let badCommandLines = lines(
        #"""
        @15 
        -D
        -D d extra
        -D d extra more
        extra
        --nosuch
        --no
        --wal
        -Y
        -D d -Y
        --pgdata
        --pgdata=
        --format
        -F
        -F x -D d
        -F tarr -D d
        -F P -D d
        --format= -D d
        -X -D d
        -X x -D d
        -X NONE -D d
        --wal-method=strea -D d
        -c -D d
        -c maybe -D d
        -c fas -D d
        --checkpoint= -D d
        -l
        -r 31 -D d
        -r 31k -D d
        -r 0 -D d
        -r -5 -D d
        -r 1G -D d
        -r 2048M -D d
        -r 1048577 -D d
        -r abc -D d
        -r 32x -D d
        -r '' -D d
        -r 99999999999 -D d
        -r 1e400 -D d
        -r 5000000000 -D d
        @15 -s abc -D d
        @15 -s -1 -D d
        @15 -s 99999999 -D d
        @15 -s 1x -D d
        @15 -s 99999999999999999999 -D d
        -S -D d
        -T x -D d
        -T = -D d
        -T /a=b -D d
        -T a=/b -D d
        -T /a=/b=/c -D d
        -T /a= -D d
        -T =/b -D d
        -T '/a\=b' -D d
        @15 -Z 42 -D d -F t
        @15 -Z -2 -D d -F t
        -Z 5 -D d
        -z -D d
        @15 -Z gzip -D d
        @15 -Z lz4 -D d
        @15 -Z zstd -D d
        @15 -Z foo -D d
        @15 -Z foo -D d -F t
        @15 -Z client-foo -D d
        @15 -Z gzip:0 -D d -F t
        @15 -Z gzip:10 -D d -F t
        @15 -Z gzip:level=10 -D d -F t
        @15 -Z gzip:level -D d -F t
        @15 -Z gzip:level= -D d -F t
        @15 -Z gzip:level=x -D d -F t
        @15 -Z gzip: -D d -F t
        @15 -Z gzip:, -D d -F t
        @15 -Z gzip:workers=2 -D d -F t
        @15 -Z gzip:long -D d -F t
        @15 -Z gzip:foo -D d -F t
        @15 -Z gzip:foo=1 -D d -F t
        @15 -Z lz4:13 -D d -F t
        @15 -Z lz4:-1 -D d -F t
        @15 -Z lz4:workers=1 -D d -F t
        @15 -Z lz4:long=1 -D d -F t
        @15 -Z zstd:23 -D d -F t
        @15 -Z zstd:-131073 -D d -F t
        @15 -Z zstd:workers -D d -F t
        @15 -Z zstd:workers=x -D d -F t
        @15 -Z zstd:long=maybe -D d -F t
        @15 -Z none:1 -D d -F t
        @15 -Z none: -D d -F t
        @15 -Z :3 -D d -F t
        @15 -Z 1x -D d -F t
        @15 -Z 3:4 -D d -F t
        @15 -Z server -D d
        @15 -t server:/x -D d
        @15 -t blackhole -D d
        @15 -t blackhole -F t
        @15 -t blackhole -F p
        @15 -t blackhole
        @15 -t blackhole -X stream
        @15 -t server:/x
        @15 -t client
        @15 -t client -F x
        @15 -t blackhole -X none -Z client-gzip
        @15 -t blackhole -X none -Z client-foo
        @15 -t blackhole -X none --waldir=/w
        @15 -t blackhole -X none -S a
        @15 -t blackhole -X fetch -C
        -D d -S a -X none
        -D d -S a -X fetch
        -D d --no-slot -S a
        -D d -C
        -D d -C --no-slot
        -D d -C -S a --no-slot
        -D d -C -X none
        -D d --waldir=w
        -D d --waldir w
        -D d -F t --waldir=/w
        -D d -F t --waldir=w
        -D d --waldir
        -D d -P --no-estimate-size
        -D d --no-estimate-size --progress
        -D d --no-manifest --manifest-checksums=SHA256
        -D d --no-manifest --manifest-checksums=none
        -D d --no-manifest --manifest-force-encode
        -D d --manifest-checksums
        @17 -D d --sync-method=x
        @17 -D d --sync-method=
        @17 -D d --sync-method
        @17 -D d --sync-method=FSYNC
        -D d --no-slot=1
        -D d --verbose=1
        -D d -v=1
        -D d -F t -Z
        -D d --max-rate
        @17 -D d --incremental
        @15 -D d --target
        -D d --tablespace-mapping=x
        -D d -h
        -D d -p
        -D d -U
        -D d -d
        -D d --no-s
        -D d --man
        -D d --no-m
        -D d --wal-m
        -D d -X none -F t -Z zstd:level=99 extra
        -F x -X y -D d
        -X y -F x -D d
        -D d -Xnone -Fz
        -D d -c fast -r 1 -s x
        @15 -D d -s x -r 1
        """#)

    /// Connections that fail, and what the server or the target refuses.
    static let refusals = lines(
        #"""
        -D d -d nosuchkeyword=1
        -D d -d host=/nowhere
        -D d -h /nowhere
        -D d -p 1
        -D d -p x
        -D d -p 99999
        -D d -d sslmode=foo
        -D d -d postgresql://%
        -D d -U nosuch
        -D d -U norepl
        -D d -h /nowhere -p 1 -F t
        -D nonempty
        -D nonempty -F t
        -D nonempty -n
        -D file
        -D file/x
        -D file -F t
        -D d --waldir=/dev/null
        -D d --waldir={PWD}/nonempty
        @15 -D d -S nosuch
        @15 -D d -S nosuch -F t
        @15 -D d -C -S there
        -D d -S there -n
        @15 -D d -F t -X none -Z server-foo
        @15 -D d -Z server-foo
        @15 -D d -Z server-gzip:99
        @15 -D d -Z server-gzip:foo
        @15 -D d -Z server-zstd:workers=x
        @17 -D d -i nosuchfile
        @17 -D d -i file
        @17 -D d -i file -F t
        -D d -T {TS}=d2
        -D d -T /nosuch=/x -X none
        @15 -t blackhole -X none -R
        @15 -t nosuch -X none
        @15 -t server -X none
        @15 -t server:rel -X none
        @15 -t server:{PWD}/nonempty -X none
        @15 -t blackhole:x -X none
        @15 -t blackhole -X none -Z foo
        @15 -t blackhole -X none -Z gzip:99
        @15 -t '' -X none
        -D '' -X none
        """#)

    static let backups = lines(
        #"""
        -D d
        -D d -v
        -D d -P
        -D d -P -v
        -D d -X none
        -D d -X none -v
        -D d -X none -P
        -D d -X none -v -P
        -D d -X fetch
        -D d -X fetch -v -P
        -D d -R
        -D d -R -X none
        -D d -R -v
        -D d -R -S there
        -D d -R -C -S made{N}
        -D d -R -C -S made{N} -v
        -D d -R -d 'application_name=x'
        -D d -d 'application_name=x dbname=postgres' -R
        -D d -F p
        -D d -F plain -c FAST
        @15 -D d --no-slot
        -D d --no-slot -v
        -D d -S there -v
        -D d --no-sync
        -D d -N -v
        -D d --no-manifest
        -D d --no-manifest -v
        -D d --manifest-checksums=SHA256
        -D d --manifest-checksums=sha512 --manifest-force-encode
        -D d --manifest-checksums=none
        -D d --no-estimate-size -v
        -D d --no-verify-checksums
        @17 -D d --sync-method=fsync
        @17 -D d --sync-method=syncfs -v
        -D d --waldir={PWD}/w
        -D d --waldir={PWD}/w -v
        -D d -r 1024M
        -D d -l label
        -D d -l ''
        -D empty
        -D empty -v
        -D a/b/c
        -D d/
        -D ./d
        -D d -s ''
        -D d -s 1 -v
        -D d -U postgres -w
        -D d -Z none
        -D d -Z 0
        @15 -D d -Z server-none
        @15 -D d -Z server-gzip
        @15 -D d -Z server-gzip:1 -v
        @15 -D d -Z server-lz4
        @15 -D d -Z server-zstd:level=1
        -D - -X none
        -D d -F t
        -D d -F t -v
        -D d -F t -P
        -D d -F t -P -v
        -D d -F t -X none
        -D d -F t -X fetch
        -D d -F t -X fetch -v
        -D d -F t -R
        -D d -F t -R -X none
        -D d -F t -T /a=/b
        -D d -F t -z
        -D d -F t -z -X none
        -D d -F t -Z 1
        @15 -D d -F t -Z lz4
        @15 -D d -F t -Z lz4 -X none
        @15 -D d -F t -Z zstd
        @15 -D d -F t -Z zstd:workers=2
        @15 -D d -F t -Z zstd:long -X fetch
        @15 -D d -F t -Z client-gzip:9 -X fetch
        @15 -D d -F t -Z server-gzip
        @15 -D d -F t -Z server-zstd -X none
        @15 -D d -F t -Z server-lz4 -v
        -D d -F t -Z none
        -D d -F t --no-manifest
        -D d -F t -N
        -D empty -F t
        -D - -F t -X none
        -D - -F t -X fetch
        -D - -F t -X fetch -v
        -D - -F t -X fetch -P
        -D - -F t -X none -R
        -D - -F t -X none --no-manifest
        -D - -F t -X none -z
        @15 -t blackhole -X none
        @15 -t blackhole -X fetch -v
        @15 -t blackhole -X none -P
        @15 -t blackhole -X none -v -P
        @15 -t server:{PWD}/srv -X fetch
        @15 -t client -D d
        @17 -D d -i {MANIFEST}
        @17 -D d -i {MANIFEST} -v
        @17 -D d -i {MANIFEST} -F t -X none
        --pgd=d --wal-method=none --check=fast
        @15 -vP -D d -Xn
        @15 -vPDd -Xf
        """#)

    private static func lines(_ text: String) -> [String] {
        text.split(separator: "\n").map { $0 == "(nothing)" ? "" : String($0) }
    }
}
