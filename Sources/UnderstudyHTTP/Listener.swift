#if HTTP
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import UnderstudyCore
import UnderstudyMonitoring
import UnderstudyPlatform

/// A socket that listens, and the thread that accepts and answers.
///
/// The thread is ours, so that one that cannot be had is an error; SwiftNIO's own groups end the process then.
final class Listener: Sendable {
    private let loop: any EventLoop
    private let channel: any Channel
    private let connections: Connections

    private init(_ loop: any EventLoop, _ channel: any Channel, _ connections: Connections) {
        self.loop = loop
        self.channel = channel
        self.connections = connections
    }

    /// - Returns: The listener, and where it listens.
    static func start(
        on address: ListenAddress, _ site: ArchiverSite
    ) async throws(UnderstudyError) -> (Listener, ListenAddress) {
        // SwiftNIO ends the process if it gets none for its own use.
        do throws(FileIOError) { try DescriptorReserve(descriptors, for: "\(address)").release() } catch {
            throw UnderstudyError(error)
        }
        let result: Result<(Listener, ListenAddress), UnderstudyError> = await withCheckedContinuation { waiting in
            do throws(FileIOError) {
                _ = try OwnThread("http") { run(address, site) { waiting.resume(returning: $0) } }
            } catch { waiting.resume(returning: .failure(UnderstudyError(error))) }
        }
        return try result.get()
    }

    /// Runs on the thread until the listener is stopped.
    private static func run(
        _ address: ListenAddress, _ site: ArchiverSite,
        _ started: @escaping @Sendable (Result<(Listener, ListenAddress), UnderstudyError>) -> Void
    ) {
        let place: SocketAddress
        do {
            place = try .makeAddressResolvingHost(address.host, port: address.port)
        } catch {
            return started(.failure(ListenFailure.unknownHost(address)))
        }
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
            let connections = Connections()
            ServerBootstrap(group: loop)
                .serverChannelOption(.backlog, value: 64)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        connections.add(channel)
                        try RequestHandler.configure(channel, site, connections)
                    }
                }
                .bind(to: place)
                .whenComplete { result in
                    switch result {
                    case .success(let channel):
                        site.sample()
                        loop.scheduleRepeatedTask(initialDelay: sampleInterval, delay: sampleInterval) { _ in
                            site.sample()
                        }
                        var bound = address
                        bound.port = channel.localAddress?.port ?? address.port
                        started(.success((Listener(loop, channel, connections), bound)))
                    case .failure(let error):
                        loop.shutdownGracefully { _ in }
                        started(.failure(ListenFailure.of(error, address)))
                    }
                }
        }
    }

    /// What an event loop and a socket take, some connections, and what others may open at the same moment.
    private static let descriptors = 16
    private static let sampleInterval = TimeAmount(ArchiverSite.sampleInterval)

    /// Returns when the port is free, unless it is called on the thread that answers.
    func stop() {
        let (loop, connections) = (loop, connections)
        // The future of the close cannot be waited for: the loop that would tell of it is shut down behind it.
        let isClosed = Monitor(false)
        channel.close().whenComplete { _ in
            connections.closeAll()
            isClosed.update { $0 = true }
            loop.shutdownGracefully { _ in }
        }
        if !loop.inEventLoop { _ = isClosed.wait { $0 ? true : nil } }
    }
}

/// Why nothing can listen at an address, and what to do.
enum ListenFailure {
    static func unknownHost(_ address: ListenAddress) -> UnderstudyError {
        UnderstudyError(
            .options, "could not listen on \"\(address)\": no address is known for \"\(address.host)\"",
            hint: "Name an address of this machine, such as 127.0.0.1:\(address.port).")
    }

    static func of(_ error: any Error, _ address: ListenAddress) -> UnderstudyError {
        guard let number = (error as? IOError)?.errnoCode else {
            return UnderstudyError(.options, "could not listen on \"\(address)\": \(error)", cause: error)
        }
        let hint: String? =
            switch number {
            case EADDRINUSE:
                "Another program has the port: ss -ltnp \"sport = :\(address.port)\" shows which. Stop it, or choose another port."
            case EADDRNOTAVAIL: "Name an address of this machine: ip -brief address lists them."
            case EACCES where address.port < 1024: "Choose a port from 1024 on: only root may listen on lower ones."
            default: nil
            }
        return UnderstudyError(
            .options, "could not listen on \"\(address)\": \(FileIOError.text(of: number))", hint: hint, cause: error)
    }
}
#endif
