import java.io.*;
import java.net.*;
import java.util.*;
import java.util.jar.*;

/** Reads a jar in all the ways Java has; with "load", has the JVM define and verify each class in it, too. */
public class JarReader {
    public static void main(String[] args) throws Exception {
        File file = new File(args[0]);
        byte[] buffer = new byte[65536];
        int entries = 0;
        try (JarFile jar = new JarFile(file, true)) {
            for (JarEntry entry : Collections.list(jar.entries())) {
                try (InputStream in = jar.getInputStream(entry)) {
                    while (in.read(buffer) >= 0) { }
                }
                entries++;
            }
        }
        int streamed = 0;
        try (JarInputStream in = new JarInputStream(new BufferedInputStream(new FileInputStream(file)))) {
            for (JarEntry entry; (entry = in.getNextJarEntry()) != null; streamed++) {
                while (in.read(buffer) >= 0) { }
            }
        }
        System.out.println("entries " + entries + " streamed " + (streamed > 0));
        if (args.length > 1) {
            URLClassLoader loader = new URLClassLoader(new URL[] {file.toURI().toURL()}, null);
            try (JarFile jar = new JarFile(file)) {
                for (JarEntry entry : Collections.list(jar.entries())) {
                    String name = entry.getName();
                    if (!name.endsWith(".class") || name.startsWith("META-INF/") || name.contains("-info")) continue;
                    String result = "loaded";
                    try {
                        Class.forName(name.substring(0, name.length() - 6).replace('/', '.'), false, loader).getDeclaredMethods();
                    } catch (Throwable error) {
                        result = error.getClass().getSimpleName();
                    }
                    System.out.println(name + " " + result);
                }
            }
        }
    }
}
