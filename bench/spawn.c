/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a program many times and measures each run, from posix_spawn to the end of the process:
 * what a container runtime waits for. Light, so that the harness does not hide what it measures.
 *
 *   spawn -n COUNT [-f FIRST] [-w WIDTH] [-i STDIN] [-c ADD,DEL] [-e NAME=VALUE] -- PROGRAM [ARG..]
 *
 * Runs number FIRST to FIRST+COUNT-1 are spread over WIDTH threads. A "{}" in ARG and VALUE is the
 * number of the run. With -c every run is one process for each command, in CNI_COMMAND.
 * Prints {"seconds": S, "failed": N, "error": "...", "us": {"ADD": [..], "DEL": [..]}}.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS    64
#define MAX_COMMANDS 4
#define MAX_WIDTH    256
#define MAX_TEXT     512

struct plan {
	int count, first, width;
	const char *input;
	const char *commands[MAX_COMMANDS];
	int command_count;
	const char *env[MAX_WORDS];
	int env_count;
	char **argv; /* program and arguments, NULL at the end */
	int argc;
	double *us; /* count * command_count */
	atomic_int next, failed;
	pthread_mutex_t lock;
	char error[MAX_TEXT]; /* output of the first failure; under lock */
};

static double now_us(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "spawn: %s\n", what);
	exit(2);
}

/* text with every {} replaced by number; owned by the caller. */
static char *fill(const char *text, int number)
{
	char *filled = calloc(1, MAX_TEXT);
	size_t used = 0;

	if (!filled)
		die("out of memory");
	while (*text && used + 16 < MAX_TEXT) {
		if (text[0] == '{' && text[1] == '}') {
			used += (size_t)snprintf(filled + used, MAX_TEXT - used, "%d", number);
			text += 2;
		} else {
			filled[used++] = *text++;
		}
	}
	if (*text)
		die("an argument is too long");
	return filled;
}

static void fill_all(char **out, const char *const *texts, int count, int number)
{
	for (int i = 0; i < count; i++)
		out[i] = fill(texts[i], number);
	out[count] = NULL;
}

static void free_all(char **texts)
{
	while (*texts)
		free(*texts++);
}

static void keep_error(struct plan *plan, int fd)
{
	char text[MAX_TEXT];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	(void)pthread_mutex_lock(&plan->lock);
	if (!plan->error[0])
		(void)snprintf(plan->error, sizeof(plan->error), "%.*s", len > 0 ? (int)len : 0,
			       text);
	(void)pthread_mutex_unlock(&plan->lock);
}

/* One process; output goes to a file that is read only when it fails. */
static double run_process(struct plan *plan, char **argv, char **env, int output)
{
	posix_spawn_file_actions_t actions;
	double start;
	pid_t pid;
	int status = -1;

	if (ftruncate(output, 0) < 0)
		die("cannot empty the temporary file");
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, plan->input, O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, output, 1);
	(void)posix_spawn_file_actions_adddup2(&actions, output, 2);
	start = now_us();
	if (posix_spawn(&pid, argv[0], &actions, NULL, argv, env) != 0)
		die("cannot start the program");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	start = now_us() - start;
	(void)posix_spawn_file_actions_destroy(&actions);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)atomic_fetch_add(&plan->failed, 1);
		keep_error(plan, output);
	}
	return start;
}

static void run_number(struct plan *plan, int index, int output)
{
	char *argv[MAX_WORDS + 1], *env[MAX_WORDS + 2], command[64];
	int number = plan->first + index;

	fill_all(argv, (const char *const *)plan->argv, plan->argc, number);
	fill_all(env, plan->env, plan->env_count, number);
	for (int i = 0; i < plan->command_count; i++) {
		(void)snprintf(command, sizeof(command), "CNI_COMMAND=%s", plan->commands[i]);
		env[plan->env_count] = command;
		env[plan->env_count + 1] = NULL;
		plan->us[index * plan->command_count + i] = run_process(plan, argv, env, output);
	}
	env[plan->env_count] = NULL;
	free_all(argv);
	free_all(env);
}

static void *work(void *context)
{
	struct plan *plan = context;
	char name[] = "/tmp/spawn-XXXXXX";
	int output = mkostemp(name, O_APPEND | O_CLOEXEC), index;

	if (output < 0)
		die("cannot make a temporary file");
	(void)unlink(name);
	while ((index = atomic_fetch_add(&plan->next, 1)) < plan->count)
		run_number(plan, index, output);
	(void)close(output);
	return NULL;
}

static void add_commands(struct plan *plan, char *text)
{
	char *word;

	plan->command_count = 0;
	while ((word = strsep(&text, ","))) {
		if (plan->command_count == MAX_COMMANDS)
			die("too many commands");
		plan->commands[plan->command_count++] = word;
	}
}

static int number_of(const char *text, int max)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (*end || end == text || number < 0 || number > max)
		die("a number is wrong");
	return (int)number;
}

static void parse(struct plan *plan, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:f:w:i:c:e:")) != -1) {
		switch (option) {
		case 'n': plan->count = number_of(optarg, 1000000); break;
		case 'f': plan->first = number_of(optarg, 1000000); break;
		case 'w': plan->width = number_of(optarg, MAX_WIDTH); break;
		case 'i': plan->input = optarg; break;
		case 'c': add_commands(plan, optarg); break;
		case 'e':
			if (plan->env_count == MAX_WORDS - 1)
				die("too many variables");
			plan->env[plan->env_count++] = optarg;
			break;
		default:
			die("usage: spawn -n COUNT [-f FIRST] [-w WIDTH] [-i STDIN] [-c ADD,DEL] "
			    "[-e NAME=VALUE] -- PROGRAM [ARG..]");
		}
	}
	plan->argv = argv + optind;
	plan->argc = argc - optind;
	if (plan->argc < 1 || plan->argc > MAX_WORDS || plan->count < 1 || plan->width < 1)
		die("what to run how often?");
}

/* A JSON string; only what programs print as errors needs escaping. */
static void print_text(const char *text)
{
	(void)putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			printf("\\u%04x", (unsigned char)*text);
		else
			(void)putchar(*text);
	}
	(void)putchar('"');
}

static void print_plan(struct plan *plan, double seconds)
{
	printf("{\"seconds\": %.6f, \"failed\": %d, \"error\": ", seconds,
	       atomic_load(&plan->failed));
	print_text(plan->error);
	printf(", \"us\": {");
	for (int c = 0; c < plan->command_count; c++) {
		printf("%s\"%s\": [", c ? ", " : "", plan->commands[c]);
		for (int i = 0; i < plan->count; i++)
			printf("%s%.1f", i ? ", " : "", plan->us[i * plan->command_count + c]);
		printf("]");
	}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	static struct plan plan = { .width = 1, .input = "/dev/null", .command_count = 1 };
	pthread_t threads[MAX_WIDTH];
	double start;

	plan.commands[0] = "ADD";
	(void)pthread_mutex_init(&plan.lock, NULL);
	parse(&plan, argc, argv);
	plan.us = calloc((size_t)plan.count * (size_t)plan.command_count, sizeof(*plan.us));
	if (!plan.us)
		die("out of memory");
	start = now_us();
	for (int i = 0; i < plan.width; i++)
		if (pthread_create(&threads[i], NULL, work, &plan) != 0)
			die("cannot start a thread");
	for (int i = 0; i < plan.width; i++)
		(void)pthread_join(threads[i], NULL);
	print_plan(&plan, (now_us() - start) / 1e6);
	free(plan.us);
	return 0;
}
