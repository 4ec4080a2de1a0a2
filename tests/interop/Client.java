// SPDX-License-Identifier: Apache-2.0
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Client.java https|socket PORT VERSION CA [P12 PASSWORD]: GET over HttpsURLConnection or over an SSLSocket; prints the answer or the
 * exception.
 */
public class Client {
    private static SSLContext context(String[] args) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream in = new FileInputStream(args[3])) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyManagerFactory keys = null;
        if (args.length > 4) {
            KeyStore own = KeyStore.getInstance("PKCS12");
            try (InputStream in = new FileInputStream(args[4])) {
                own.load(in, args[5].toCharArray());
            }
            keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(own, args[5].toCharArray());
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys == null ? null : keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static void overHttps(SSLContext context, String port) throws IOException {
        HttpsURLConnection connection = (HttpsURLConnection) new URL("https://localhost:" + port + "/interop").openConnection();
        connection.setSSLSocketFactory(context.getSocketFactory());
        System.out.println(connection.getResponseCode());
        try (InputStream in = connection.getInputStream()) {
            in.transferTo(System.out);
        }
    }

    private static void overSocket(SSLContext context, String port, String version) throws IOException {
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("localhost", Integer.parseInt(port))) {
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setProtocols(new String[] {version});
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            String request = "GET /interop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            socket.getInputStream().transferTo(System.out);
        }
    }

    public static void main(String[] args) throws Exception {
        String version = "TLSv" + args[2];
        System.setProperty("https.protocols", version);
        SSLContext context = context(args);
        try {
            if (args[0].equals("https"))
                overHttps(context, args[1]);
            else
                overSocket(context, args[1], version);
        } catch (IOException e) {
            System.out.println(e);
        }
    }
}
