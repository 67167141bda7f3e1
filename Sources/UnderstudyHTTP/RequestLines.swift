#if HTTP
import NIOCore

/// Closes a connection that sends a longer line than a request may have: the decoder bounds the header's fields, but not the
/// target. Knows whether a request has begun.
final class RequestLines: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let most: Int
    private var line = 0
    private var hasBegun = false
    private var context: ChannelHandlerContext?

    init(most: Int) {
        self.most = most
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasBegun = true
        // All lines of a request are short; a body may be one long line, and none is wanted.
        var rest = unwrapInboundIn(data).readableBytesView[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if line + rest.distance(from: rest.startIndex, to: end) > most { return context.close(promise: nil) }
            line = 0
            rest = rest[rest.index(after: end)...]
        }
        line += rest.count
        if line > most { return context.close(promise: nil) }
        context.fireChannelRead(data)
    }

    /// A request is complete.
    func endRequest() { hasBegun = false }

    /// Closes the connection because its time is over.
    ///
    /// - Parameter isTold: Whether a client that has begun a request is told why: not within an answer.
    func close(isTold: Bool) {
        guard let context else { return }
        guard isTold, hasBegun else { return context.close(promise: nil) }
        // Written here: the handlers behind this one have seen no request that they could answer.
        let answer = context.channel.allocator.buffer(
            string: "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(promise: nil)
    }
}
#endif
