// A small e-service behind Grindvakt, in Java (17 or newer), with nothing but the JDK.
//
//   PORT=8080 EID_ISSUER=http://localhost:8090 EID_AUDIENCE=dev \
//     EID_JWKS=http://127.0.0.1:8090/eid/jwks.json java App.java
//
// What to take over into a service of your own: `Identity.of`, which lets nobody in without a token that Grindvakt signed for
// this service, and `Sessions.of`, which keeps what one person left behind from the next one at the same browser. A service
// that has a JWT library already (Nimbus, jose4j) leaves the checking to it: ES256 alone, the typ, iss, aud, exp and the key
// set of EID_JWKS; and its JSON library takes the place of `Json`.

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;

public final class App {
    /** Grindvakt's base_url: the address that citizens see. */
    static final String ISSUER = need("EID_ISSUER");
    /** Grindvakt's service.id. */
    static final String AUDIENCE = need("EID_AUDIENCE");
    /** {@code <prefix>/jwks.json}, asked of the sidecar itself. */
    static final URI JWKS = URI.create(need("EID_JWKS"));

    /** Seconds that the two clocks may differ; in one pod they do not. */
    static final long LEEWAY = 30;
    /** After this long the keys are asked for again: one that was taken away then counts no longer. */
    static final Duration KEYS_KEPT = Duration.ofHours(1);
    /** Between two questions for keys, whatever tokens come in. */
    static final Duration KEYS_PAUSE = Duration.ofSeconds(5);
    static final int LARGEST_FORM = 64 * 1024;

    static String need(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException("set the environment variable " + name);
        }
        return value;
    }

    public static void main(String[] args) throws IOException {
        // Reachable from the sidecar alone. The token would keep forgers out all the same.
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(need("PORT"))), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", App::answer);
        server.start();
    }

    /** Nobody is let in: there is no token, or it does not hold. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1;

        Refused(String why) {
            super(why);
        }
    }

    /** Grindvakt's public keys by their kid, fetched when one is missing and not more often than every few seconds. */
    static final class Keys {
        private final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
        private Map<String, PublicKey> keys = Map.of();
        private Instant asked = Instant.MIN;

        synchronized PublicKey get(String kid) throws IOException {
            Duration age = keys.isEmpty() ? KEYS_KEPT : Duration.between(asked, Instant.now());
            boolean missing = !keys.containsKey(kid) && age.compareTo(KEYS_PAUSE) > 0;
            if (missing || age.compareTo(KEYS_KEPT) >= 0 || age.isNegative()) {
                keys = fetch();
                asked = Instant.now();
            }
            return keys.get(kid);
        }

        private Map<String, PublicKey> fetch() throws IOException {
            HttpRequest request = HttpRequest.newBuilder(JWKS).timeout(Duration.ofSeconds(5)).build();
            try {
                HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() != 200) {
                    throw new IOException(JWKS + " answered " + answer.statusCode());
                }
                Map<String, PublicKey> found = new HashMap<>();
                for (Object key : (List<?>) Json.object(answer.body()).get("keys")) {
                    Map<?, ?> jwk = (Map<?, ?>) key;
                    if ("EC".equals(jwk.get("kty")) && "P-256".equals(jwk.get("crv"))) {
                        found.put((String) jwk.get("kid"), p256((String) jwk.get("x"), (String) jwk.get("y")));
                    }
                }
                return found;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException(e);
            } catch (GeneralSecurityException | RuntimeException e) {
                throw new IOException("not a key set", e);
            }
        }

        private static PublicKey p256(String x, String y) throws GeneralSecurityException {
            AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
            parameters.init(new ECGenParameterSpec("secp256r1"));
            ECParameterSpec curve = parameters.getParameterSpec(ECParameterSpec.class);
            ECPoint point = new ECPoint(new BigInteger(1, base64url(x)), new BigInteger(1, base64url(y)));
            return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, curve));
        }
    }

    static final Keys KEYS = new Keys();

    static byte[] base64url(String text) {
        return Base64.getUrlDecoder().decode(text);
    }

    /**
     * Who is there, from a token that holds (RFC 7515, 7519, 8725).
     *
     * @param subject the same person through every e-ID; no identity number
     * @param session a new one for each login
     * @param name    where the route's {@code forward} lists it, else null
     * @param level   where the route's {@code forward} lists it, else null
     */
    record Identity(String subject, String session, String name, String level) {
        static Identity of(Headers headers) throws Refused, IOException {
            List<String> tokens = headers.getOrDefault("X-Eid-Assertion", List.of());
            String[] parts = tokens.size() == 1 ? tokens.get(0).split("\\.", -1) : new String[0];
            if (parts.length != 3) {
                throw new Refused("one X-Eid-Assertion is needed");
            }
            try {
                Map<String, Object> header = Json.object(new String(base64url(parts[0]), StandardCharsets.UTF_8));
                // Which algorithm and which key are ours to say, not the token's: it only names one of our keys.
                if (!"ES256".equals(header.get("alg")) || !"grindvakt+jwt".equals(header.get("typ"))
                        || !(header.get("kid") instanceof String kid)) {
                    throw new Refused("not a token of Grindvakt");
                }
                PublicKey key = KEYS.get(kid);
                if (key == null) {
                    throw new Refused("signed by an unknown key");
                }
                Signature signature = Signature.getInstance("SHA256withECDSAinP1363Format");
                signature.initVerify(key);
                signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
                if (!signature.verify(base64url(parts[2]))) {
                    throw new Refused("the signature does not hold");
                }
                return of(Json.object(new String(base64url(parts[1]), StandardCharsets.UTF_8)));
            } catch (GeneralSecurityException | IllegalArgumentException e) {
                throw new Refused("not a token");
            }
        }

        private static Identity of(Map<String, Object> claims) throws Refused {
            long now = Instant.now().getEpochSecond();
            if (!ISSUER.equals(claims.get("iss")) || !AUDIENCE.equals(claims.get("aud"))) {
                throw new Refused("not for this service");
            }
            if (!(claims.get("exp") instanceof Long exp) || exp <= now - LEEWAY) {
                throw new Refused("expired");
            }
            if (!(claims.get("iat") instanceof Long iat) || iat > now + LEEWAY) {
                throw new Refused("not valid yet");
            }
            String subject = text(claims, "sub");
            String session = text(claims, "sid");
            if (subject == null || session == null) {
                throw new Refused("no sub or no sid");
            }
            return new Identity(subject, session, text(claims, "name"), text(claims, "loa"));
        }

        private static String text(Map<String, Object> claims, String name) {
            return claims.get(name) instanceof String text && !text.isEmpty() ? text : null;
        }
    }

    /**
     * The service's own sessions. Each belongs to one login: when X-Eid-Session changes it is thrown away, whole. (Those
     * that nobody comes back to must be thrown away by time, too: a store of sessions does that.)
     */
    static final class Sessions {
        static final String COOKIE = "app";
        private final Map<String, Session> all = new HashMap<>();
        private final SecureRandom random = new SecureRandom();

        record Session(String id, String login, List<String> notes) {}

        /** The session of this login: the one of the cookie, or a new one with an id of its own. */
        synchronized Session of(Identity identity, String cookie) {
            Session known = all.get(cookie);
            if (known != null && known.login().equals(identity.session())) {
                return known;
            }
            // Another login: another person, or the same one again. Nothing of the old session is carried over.
            all.remove(cookie);
            byte[] bytes = new byte[32];
            random.nextBytes(bytes);
            String id = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
            Session session = new Session(id, identity.session(), new ArrayList<>());
            all.put(id, session);
            return session;
        }

        synchronized void end(String cookie) {
            all.remove(cookie);
        }
    }

    static final Sessions SESSIONS = new Sessions();

    static void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            Headers headers = exchange.getRequestHeaders();
            String cookie = cookie(headers);
            byte[] body = exchange.getRequestBody().readNBytes(LARGEST_FORM);
            Identity identity;
            try {
                identity = Identity.of(headers);
            } catch (Refused e) {
                // Nobody is there, so no session of ours goes on.
                SESSIONS.end(cookie);
                send(exchange, 401, "text/plain", "401: " + e.getMessage() + "\n");
                return;
            } catch (IOException e) {
                send(exchange, 503, "text/plain", "503: Grindvakt's keys cannot be fetched\n");
                return;
            }
            Sessions.Session session = SESSIONS.of(identity, cookie);
            if (!session.id().equals(cookie)) {
                String secure = ISSUER.startsWith("https:") ? "; Secure" : "";
                String set = Sessions.COOKIE + "=" + session.id() + "; Path=/; HttpOnly; SameSite=Lax" + secure;
                exchange.getResponseHeaders().set("Set-Cookie", set);
            }
            switch (exchange.getRequestMethod() + " " + exchange.getRequestURI()) {
                case "GET /" -> send(exchange, 200, "text/html", page(identity, session));
                case "POST /anteckning" -> note(exchange, session, body);
                default -> send(exchange, 404, "text/plain", "404\n");
            }
        }
    }

    static void note(HttpExchange exchange, Sessions.Session session, byte[] body) throws IOException {
        String from = exchange.getRequestHeaders().getFirst("Origin");
        URI issuer = URI.create(ISSUER);
        if (from != null && !from.equals(issuer.getScheme() + "://" + issuer.getAuthority())) {
            send(exchange, 403, "text/plain", "403: a form of another site\n");
            return;
        }
        synchronized (session) {
            session.notes().add(field(new String(body, StandardCharsets.UTF_8), "text"));
        }
        // The public address comes from the configuration, never from Host or X-Forwarded-Host.
        exchange.getResponseHeaders().set("Location", ISSUER + "/");
        send(exchange, 303, "text/plain", "");
    }

    static String page(Identity identity, Sessions.Session session) {
        StringBuilder notes = new StringBuilder();
        synchronized (session) {
            session.notes().forEach(note -> notes.append("<li>").append(text(note)).append("</li>"));
        }
        String name = identity.name() == null ? identity.subject() : identity.name();
        String level = identity.level() == null ? "okänd nivå" : identity.level();
        return """
                <!doctype html>
                <html lang="sv"><meta charset="utf-8"><title>Mina anteckningar</title>
                <h1>Mina anteckningar</h1>
                <p>Inloggad som <strong>%s</strong> (%s)</p>
                <ul>%s</ul>
                <form method="post" action="/anteckning"><label>Ny anteckning <input name="text"></label> <button>Spara</button></form>
                <form method="post" action="/eid/logout"><button>Logga ut</button></form>
                """.formatted(text(name), text(level), notes);
    }

    static void send(HttpExchange exchange, int status, String kind, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", kind + "; charset=utf-8");
        exchange.getResponseHeaders().set("Cache-Control", "private, no-store");
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        if (bytes.length > 0) {
            exchange.getResponseBody().write(bytes);
        }
    }

    static String cookie(Headers headers) {
        for (String header : headers.getOrDefault("Cookie", List.of())) {
            for (String pair : header.split(";")) {
                if (pair.trim().startsWith(Sessions.COOKIE + "=")) {
                    return pair.trim().substring(Sessions.COOKIE.length() + 1);
                }
            }
        }
        return null;
    }

    /** A field of a form. */
    static String field(String form, String name) {
        for (String pair : form.split("&")) {
            if (pair.startsWith(name + "=")) {
                return URLDecoder.decode(pair.substring(name.length() + 1), StandardCharsets.UTF_8);
            }
        }
        return "";
    }

    static String text(String value) {
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;").replace("'", "&#39;");
    }

    /** JSON, as far as tokens and key sets need it: whole numbers as Long, everything else by the book (RFC 8259). */
    static final class Json {
        private static final int DEEPEST = 32;
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        /** @throws IllegalArgumentException for anything but one object, without a member that stands twice */
        static Map<String, Object> object(String text) {
            Json json = new Json(text);
            Object value = json.value(0);
            json.space();
            if (json.at != text.length() || !(value instanceof Map)) {
                throw json.wrong();
            }
            @SuppressWarnings("unchecked")
            Map<String, Object> object = (Map<String, Object>) value;
            return object;
        }

        private IllegalArgumentException wrong() {
            return new IllegalArgumentException("not JSON at " + at);
        }

        private void space() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private boolean take(String expected) {
            space();
            boolean there = text.startsWith(expected, at);
            at += there ? expected.length() : 0;
            return there;
        }

        private void must(String expected) {
            if (!take(expected)) {
                throw wrong();
            }
        }

        private Object value(int depth) {
            if (depth > DEEPEST) {
                throw wrong();
            }
            if (take("{")) {
                Map<String, Object> members = new HashMap<>();
                for (boolean more = !take("}"); more; more = !take("}")) {
                    if (!members.isEmpty()) {
                        must(",");
                    }
                    must("\"");
                    String name = string();
                    must(":");
                    if (members.containsKey(name)) {
                        throw wrong();
                    }
                    members.put(name, value(depth + 1));
                }
                return members;
            }
            if (take("[")) {
                List<Object> items = new ArrayList<>();
                for (boolean more = !take("]"); more; more = !take("]")) {
                    if (!items.isEmpty()) {
                        must(",");
                    }
                    items.add(value(depth + 1));
                }
                return items;
            }
            if (take("\"")) {
                return string();
            }
            if (take("true")) {
                return true;
            }
            if (take("false")) {
                return false;
            }
            if (take("null")) {
                return null;
            }
            return number();
        }

        private Object number() {
            int start = at;
            while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            String number = text.substring(start, at);
            if (!number.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
                throw wrong();
            }
            return number.matches("-?[0-9]{1,18}") ? (Object) Long.valueOf(number) : (Object) Double.valueOf(number);
        }

        private String string() {
            StringBuilder out = new StringBuilder();
            while (at < text.length()) {
                char c = text.charAt(at++);
                if (c == '"') {
                    return out.toString();
                }
                if (c < ' ') {
                    throw wrong();
                }
                if (c != '\\') {
                    out.append(c);
                    continue;
                }
                int escape = at < text.length() ? "\"\\/bfnrtu".indexOf(text.charAt(at++)) : -1;
                if (escape < 0) {
                    throw wrong();
                }
                if (escape < 8) {
                    out.append("\"\\/\b\f\n\r\t".charAt(escape));
                    continue;
                }
                String hex = text.substring(at, Math.min(at + 4, text.length()));
                if (!hex.matches("[0-9a-fA-F]{4}")) {
                    throw wrong();
                }
                out.append((char) Integer.parseInt(hex, 16));
                at += 4;
            }
            throw wrong();
        }
    }
}
