// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// pingPeriod keeps proxies between here and the API server from ending a
// connection that is quiet.
const pingPeriod = 5 * time.Second

// PortForward dials pods through the API server, for an operator that runs where
// pod addresses are not routed. Each connection is one forwarded stream; nothing
// listens locally.
func PortForward(config *rest.Config, client kubernetes.Interface) Dialer {
	return DialerFunc(func(ctx context.Context, t Target) (net.Conn, error) {
		url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(t.Namespace).Name(t.Pod).SubResource("portforward").URL()
		conn, err := forwardTo(ctx, config, url)
		if err != nil {
			return nil, fmt.Errorf("port-forward to %s/%s: %w", t.Namespace, t.Pod, err)
		}
		return conn, nil
	})
}

// forwardTo asks the API server for a connection and makes one stream of it.
func forwardTo(ctx context.Context, config *rest.Config, url *url.URL) (net.Conn, error) {
	u := &upgrade{}
	transport, err := u.transport(config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set(httpstream.HeaderProtocolVersion, portforward.PortForwardProtocolV1Name)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, u.why(ctx, err)
	}
	defer response.Body.Close()
	conn, err := u.connection(response)
	if err != nil {
		return nil, u.why(ctx, err)
	}
	forwarded, err := forward(conn)
	if err != nil {
		return nil, u.why(ctx, err)
	}
	if !u.stop() {
		_ = forwarded.Close()
		return nil, ctx.Err()
	}
	return forwarded, nil
}

// upgrade is a request that becomes a connection. client-go's own cannot be
// cancelled while it waits for the answer: an API server that hangs would cost a
// connection at each try.
type upgrade struct {
	dialer *spdy.SpdyRoundTripper
	conn   net.Conn
	// stop says that the context's end does not concern the connection any more; it
	// is false if it was too late.
	stop func() bool
}

// transport is u with what the configuration adds to each request.
func (u *upgrade) transport(config *rest.Config) (http.RoundTripper, error) {
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	if config.Proxy != nil {
		proxy = config.Proxy
	}
	u.dialer, err = spdy.NewRoundTripperWithConfig(spdy.RoundTripperConfig{TLS: tlsConfig, Proxier: proxy})
	if err != nil {
		return nil, err
	}
	return rest.HTTPWrappersForConfig(config, u)
}

// RoundTrip implements http.RoundTripper, once.
func (u *upgrade) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	request = request.Clone(ctx)
	request.Header.Set(httpstream.HeaderConnection, httpstream.HeaderUpgrade)
	request.Header.Set(httpstream.HeaderUpgrade, spdy.HeaderSpdy31)
	conn, err := u.dialer.Dial(request)
	if err != nil {
		return nil, err
	}
	u.conn = conn
	u.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	// The API server says nothing beyond its answer before it is spoken to.
	return http.ReadResponse(bufio.NewReader(conn), request)
}

// connection is what the response permits to make of it.
func (u *upgrade) connection(response *http.Response) (httpstream.Connection, error) {
	if response.StatusCode != http.StatusSwitchingProtocols {
		message, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
		return nil, fmt.Errorf("the API server answers %s: %s", response.Status, strings.TrimSpace(string(message)))
	}
	if protocol := response.Header.Get(httpstream.HeaderProtocolVersion); protocol != portforward.PortForwardProtocolV1Name {
		return nil, fmt.Errorf("the API server speaks %q", protocol)
	}
	return spdy.NewClientConnectionWithPings(u.conn, pingPeriod)
}

// why ends the connection after err, and prefers the reason behind it.
func (u *upgrade) why(ctx context.Context, err error) error {
	if u.conn != nil {
		u.stop()
		_ = u.conn.Close()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// forward opens the pair of streams of one forwarded connection.
func forward(conn httpstream.Connection) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(Port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	errorStream, err := conn.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	_ = errorStream.Close() // nothing is written to it
	// Read before there is anything to say: a stream that is closed drops what
	// nobody was waiting for.
	f := &forwarded{conn: conn, ended: make(chan struct{})}
	go func() {
		message, _ := io.ReadAll(io.LimitReader(errorStream, 4096))
		if len(message) > 0 {
			f.why = errors.New(strings.TrimSpace(string(message)))
		}
		close(f.ended)
		if f.why != nil {
			_ = conn.Close()
		}
	}()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if f.Stream, err = conn.CreateStream(headers); err != nil {
		return nil, f.reason(err)
	}
	return f, nil
}

// forwarded is a stream as a net.Conn. gRPC sets no deadlines on its transport.
type forwarded struct {
	httpstream.Stream
	conn httpstream.Connection
	// ended is closed when the kubelet has said on the error stream why it cannot
	// forward, or that there is nothing to say.
	ended chan struct{}
	why   error
}

func (f *forwarded) Read(p []byte) (int, error) {
	n, err := f.Stream.Read(p)
	return n, f.reason(err)
}

func (f *forwarded) Write(p []byte) (int, error) {
	n, err := f.Stream.Write(p)
	return n, f.reason(err)
}

// reason is what the kubelet said of the connection, in place of a bare EOF.
func (f *forwarded) reason(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-f.ended:
		if f.why != nil {
			return f.why
		}
	default:
	}
	return err
}

func (f *forwarded) Close() error { return errors.Join(f.Stream.Reset(), f.conn.Close()) }

func (f *forwarded) LocalAddr() net.Addr              { return streamAddr{} }
func (f *forwarded) RemoteAddr() net.Addr             { return streamAddr{} }
func (f *forwarded) SetDeadline(time.Time) error      { return nil }
func (f *forwarded) SetReadDeadline(time.Time) error  { return nil }
func (f *forwarded) SetWriteDeadline(time.Time) error { return nil }

type streamAddr struct{}

func (streamAddr) Network() string { return "portforward" }
func (streamAddr) String() string  { return "portforward" }
