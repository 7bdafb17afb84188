// Runs many of Apache Kafka's command-line tools in one virtual machine, one after the other: each start of another one would
// cost a second. The tools are the classes of Kafka's archives, unchanged.
//
// A line of standard input names a main class and its arguments, separated by tabs. The answer on standard output is a line
// "STATUS OUTPUT-BYTES ERROR-BYTES" and then these bytes. A tool that asks to end the process ends there: its thread never
// goes on, as it would not have.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.utils.Exit;

public class ToolSession {
    private static volatile CompletableFuture<Integer> ended;

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        Exit.setExitProcedure((status, message) -> end(status));
        Exit.setHaltProcedure((status, message) -> end(status));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split("\t", -1);
            ByteArrayOutputStream output = new ByteArrayOutputStream(), errors = new ByteArrayOutputStream();
            System.setOut(new PrintStream(output, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(errors, true, StandardCharsets.UTF_8));
            ended = new CompletableFuture<>();
            Thread tool = new Thread(() -> run(words));
            tool.setDaemon(true);
            tool.start();
            int status = ended.get();
            byte[] written = output.toByteArray(), complained = errors.toByteArray();
            answers.print(status + " " + written.length + " " + complained.length + "\n");
            answers.write(written);
            answers.write(complained);
            answers.flush();
        }
    }

    private static void run(String[] words) {
        CompletableFuture<Integer> mine = ended;
        try {
            String[] arguments = Arrays.copyOfRange(words, 1, words.length);
            Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
            mine.complete(0);
        } catch (InvocationTargetException thrown) {
            thrown.getCause().printStackTrace();
            mine.complete(1);
        } catch (ReflectiveOperationException thrown) {
            thrown.printStackTrace();
            mine.complete(2);
        }
    }

    private static void end(int status) {
        ended.complete(status);
        while (true) {
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException nobodyMeansIt) {
                // The thread is a daemon: it ends with the machine.
            }
        }
    }
}
