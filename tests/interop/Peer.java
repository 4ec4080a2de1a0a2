// SPDX-License-Identifier: Apache-2.0
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.HashMap;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Peer client|server NAME=VALUE…: a small peer over Java's SSLSocket, as peer_mbedtls.c is over Mbed TLS. */
public class Peer {
    private static final byte[] REQUEST = "GET /interop HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] ANSWER = "HTTP/1.0 200 OK\r\n\r\nhello\n".getBytes(StandardCharsets.US_ASCII);
    private static final Map<String, String> told = new HashMap<>();

    private static KeyManagerFactory keys() throws Exception {
        KeyStore own = KeyStore.getInstance("PKCS12");
        char[] password = told.get("password").toCharArray();
        try (InputStream in = new FileInputStream(told.get("p12"))) {
            own.load(in, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, password);
        return keys;
    }

    private static TrustManagerFactory trust() throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream in = new FileInputStream(told.get("ca"))) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        return trust;
    }

    private static SSLContext context() throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(told.containsKey("p12") ? keys().getKeyManagers() : null,
            told.containsKey("ca") ? trust().getTrustManagers() : null, null);
        return context;
    }

    private static SSLParameters limit(SSLParameters parameters) {
        parameters.setProtocols(new String[] {"TLSv" + told.get("version")});
        if (told.containsKey("suite"))
            parameters.setCipherSuites(new String[] {told.get("suite")});
        return parameters;
    }

    private static void ask(SSLContext context) throws IOException {
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("localhost", Integer.parseInt(told.get("port")))) {
            SSLParameters parameters = limit(socket.getSSLParameters());
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.getOutputStream().write(REQUEST);
            socket.getInputStream().transferTo(System.out);
        }
    }

    private static void serve(SSLContext context) throws IOException {
        InetAddress here = InetAddress.getLoopbackAddress();
        SSLServerSocket listening = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 16, here);
        SSLParameters parameters = limit(listening.getSSLParameters());
        parameters.setNeedClientAuth(told.containsKey("ca"));
        listening.setSSLParameters(parameters);
        while (true) {
            try (SSLSocket socket = (SSLSocket) listening.accept()) {
                socket.getInputStream().read(new byte[4096]);
                socket.getOutputStream().write(ANSWER);
            } catch (IOException e) {
                System.out.println(e);
            }
        }
    }

    private static void restrict(String property, String name) {
        if (told.containsKey(name))
            System.setProperty(property, told.get(name));
    }

    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i++)
            told.put(args[i].substring(0, args[i].indexOf('=')), args[i].substring(args[i].indexOf('=') + 1));
        restrict("jdk.tls.namedGroups", "groups");
        restrict("jdk.tls." + args[0] + ".SignatureSchemes", "signatures");
        try {
            if (args[0].equals("server"))
                serve(context());
            SSLContext context = context();
            for (int i = 0; i < Integer.parseInt(told.get("times")); i++)
                ask(context);
        } catch (IOException | IllegalArgumentException e) {
            System.out.println(e);
            System.exit(1);
        }
    }
}
