#if HTTP
import NIOCore
import NIOHTTP1
import UnderstudyMonitoring

/// Answers the requests of one connection, one after another.
///
/// Source: RFC 9110 and RFC 9112.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let site: ArchiverSite
    private let connections: Connections
    private var head: HTTPRequestHead?
    private var bodyCount = 0
    /// Whether an answer is on its way: for a client that does not read it, no further one is made.
    private var isSending = false
    /// A request that came meanwhile. The handler before this one passes no more than one on.
    private var waiting: HTTPRequestHead?
    private var deadline: Scheduled<Void>?

    /// A request has to be complete, and its answer taken, within this time.
    private static let requestTime = TimeAmount.seconds(10)
    /// Prometheus keeps its connection from one scrape to the next, which is a minute at most as a rule.
    private static let idleTime = TimeAmount.seconds(75)
    private static let mostHeaderBytes = 16 << 10
    private static let mostHeaders = 100
    private static let mostBodyBytes = 64 << 10
    /// Their answers take less than a refusal would, and somebody restarts what does not give them.
    private static let unlimited: Set<Substring> = ["/healthz", "/readyz"]

    private let lines: RequestLines

    private init(_ site: ArchiverSite, _ connections: Connections, _ lines: RequestLines) {
        self.site = site
        self.connections = connections
        self.lines = lines
    }

    /// Makes a new connection answer. Call it on the connection's event loop.
    static func configure(_ channel: any Channel, _ site: ArchiverSite, _ connections: Connections) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = mostHeaderBytes
        limits.maxHeaderListSize = mostHeaderBytes
        limits.maxHeaderFieldCount = mostHeaders
        let decoder = HTTPRequestDecoder(limitConfiguration: limits)
        let lines = RequestLines(most: mostHeaderBytes)
        try channel.pipeline.syncOperations.addHandlers([
            lines, HTTPResponseEncoder(), ByteToMessageHandler(decoder),
            HTTPServerPipelineHandler(), HTTPServerProtocolErrorHandler(), RequestHandler(site, connections, lines),
        ])
    }

    func channelActive(context: ChannelHandlerContext) {
        setDeadline(Self.requestTime, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A request that is none was answered by the handler before this one.
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            bodyCount = 0
            setDeadline(Self.requestTime, context)
            // Who waits for leave to send content gets the answer instead, which needs none.
            guard head.headers["expect"].contains(where: { $0.lowercased() == "100-continue" }), !isSending else {
                return
            }
            self.head = nil
            answer(head, context, staysOpen: false)
        case .body(let bytes):
            bodyCount += bytes.readableBytes
            if bodyCount > Self.mostBodyBytes { context.close(promise: nil) }
        case .end:
            lines.endRequest()
            guard let head else { return }
            self.head = nil
            if isSending { waiting = head } else { answer(head, context) }
        }
    }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext, staysOpen: Bool = true) {
        guard Self.unlimited.contains(request.uri.prefix { $0 != "?" }) || connections.mayAnswer() else {
            return send(Self.text(.tooManyRequests), to: request, staysOpen: false, context)
        }
        let isKnown = request.method == .GET || request.method == .HEAD
        let answer = isKnown ? site.answer(request.uri) : Self.text(.methodNotAllowed)
        send(answer, to: request, staysOpen: staysOpen && request.isKeepAlive, context)
    }

    private static func text(_ status: HTTPResponseStatus) -> ArchiverSite.Answer {
        ArchiverSite.Answer(
            status: Int(status.code), type: "text/plain; charset=utf-8", body: status.reasonPhrase + "\n")
    }

    private func send(
        _ answer: ArchiverSite.Answer, to request: HTTPRequestHead, staysOpen: Bool, _ context: ChannelHandlerContext
    ) {
        let body = context.channel.allocator.buffer(string: answer.body)
        var headers = HTTPHeaders([
            ("Content-Type", answer.type), ("Content-Length", "\(body.readableBytes)"), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
        ])
        if answer.isPage { headers.add(name: "Content-Security-Policy", value: ArchiverSite.policy) }
        if answer.status == Int(HTTPResponseStatus.methodNotAllowed.code) {
            headers.add(name: "Allow", value: "GET, HEAD")
        }
        if !staysOpen { headers.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: request.version, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
        isSending = true
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let sent = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        sent.futureResult.whenComplete { result in
            let (handler, context) = bound.value
            guard case .success = result, staysOpen else { return context.close(promise: nil) }
            handler.isSending = false
            guard let next = handler.waiting.take() else { return handler.setDeadline(Self.idleTime, context) }
            // Not from here: each of many requests at once would take a further part of the stack.
            bound.eventLoop.execute { bound.value.0.answer(next, bound.value.1) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
    }

    /// Closes the connection after this time, in place of an earlier deadline. Who has begun a request is told.
    private func setDeadline(_ time: TimeAmount, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: time) {
            bound.value.0.lines.close(isTold: !bound.value.0.isSending)
        }
    }
}
#endif
